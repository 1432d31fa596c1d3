/**
 * What the house tests read: every source file of every package, its imports and its exports.
 *
 * Parsed with TypeScript's own parser, without a type checker, so that comments and strings that look like imports do
 * not count. `import type` counts like `import`: an arrow that exists only for types is still an arrow.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, posix, relative, sep } from "node:path"
import ts from "typescript"

/** The root of the repository. */
export const workspace = join(import.meta.dirname, "../../../..")

/** One file below `packages/<name>/src`; paths are relative to the repository and use forward slashes. */
export interface SourceFile {
  readonly packageName: string
  /** For example `packages/core/src/http/Egress.ts`. */
  readonly path: string
  /** For example `http/Egress.ts`. */
  readonly pathInSource: string
  readonly text: string
  readonly specifiers: ReadonlyArray<string>
}

/** The folder names below `packages`, sorted. */
export const packageNames: ReadonlyArray<string> = readdirSync(join(workspace, "packages")).toSorted()

/** The parsed `package.json` of a package. */
export const readManifest = (packageName: string): { name: string; exports: Record<string, Record<string, string>> } =>
  JSON.parse(readFileSync(join(workspace, "packages", packageName, "package.json"), "utf8"))

/** Every `.ts` file below the package's `src`. */
export const readSources = (packageName: string): ReadonlyArray<SourceFile> => {
  const root = join(workspace, "packages", packageName, "src")
  if (!existsSync(root)) return []
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => name.split(sep).join("/"))
    .toSorted()
    .map((pathInSource) => {
      const text = readFileSync(join(root, pathInSource), "utf8")
      return {
        packageName,
        path: `packages/${packageName}/src/${pathInSource}`,
        pathInSource,
        text,
        specifiers: ts.preProcessFile(text, true, true).importedFiles.map((imported) => imported.fileName),
      }
    })
}

/** The path a relative import leads to, relative to the repository; `undefined` for an import of a package. */
export const resolveRelative = (source: SourceFile, specifier: string): string | undefined =>
  specifier.startsWith(".") ? posix.join(posix.dirname(source.path), specifier) : undefined

/** The parsed syntax of a file. */
export const parse = (path: string): ts.SourceFile =>
  ts.createSourceFile(path, readFileSync(join(workspace, path), "utf8"), ts.ScriptTarget.ES2024, true)

/** The path of a package entry's source, for example `packages/core/src/index.ts`. */
export const entryPath = (packageName: string, condition: string): string =>
  relative(workspace, join(workspace, "packages", packageName, condition))
    .split(sep)
    .join("/")

/** The first folder of a path in `src`, or the file name where there is no folder. */
export const topFolder = (pathInSource: string): string => {
  const folder = dirname(pathInSource)
  return folder === "." ? pathInSource : (folder.split("/")[0] ?? folder)
}
