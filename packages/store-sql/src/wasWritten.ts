/** Whether a statement changed a row: what compare-and-set answers. */
import type { DeleteResult, InsertResult, UpdateResult } from "kysely"

/** See the file's header. */
export const wasWritten = (result: DeleteResult | InsertResult | UpdateResult): boolean =>
  ("numInsertedOrUpdatedRows" in result
    ? result.numInsertedOrUpdatedRows
    : "numUpdatedRows" in result
      ? result.numUpdatedRows
      : result.numDeletedRows) === 1n
