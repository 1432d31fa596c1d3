/** The database holds another version of the tables than this package works with. */
import { taggedError } from "@keyward/core/effect"
import * as Schema from "effect/Schema"

/** See the file's header. `reason`: `newer`, or `outdated` where migrating was left to the host. Nothing was changed. */
export class StoreSchemaError extends taggedError<StoreSchemaError>()(
  "StoreSchemaError",
  {
    reason: Schema.Literals(["newer", "outdated"]),
    /** The version of the tables in the database; 0: there are none. */
    found: Schema.Number,
    /** The version that this package works with. */
    known: Schema.Number,
  },
  503,
) {
  override get message(): string {
    return this.reason === "newer"
      ? `The store's tables are of version ${this.found}, and this @keyward/store-sql knows ${this.known}. A newer one migrated them; use that version. Nothing was changed.`
      : `The store's tables are of version ${this.found}, and this @keyward/store-sql needs ${this.known}. Run the SQL that migrationSql({ flavor, from: ${this.found} }) gives, or leave out "migrate: false".`
  }
}
