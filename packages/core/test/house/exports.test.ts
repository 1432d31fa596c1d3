/**
 * Pins what each package entry exports: a new line in `exports.json` is a promise to everyone who installs us.
 *
 * Exports are listed one by one, so the syntax of the entry says them all and types are marked as such. After a
 * deliberate change write the list anew with `vitest run -u` and let the diff be reviewed.
 */
import { join } from "node:path"
import ts from "typescript"
import { describe, expect, it } from "vitest"
import { entryPath, packageNames, parse, readManifest } from "./sources.ts"

interface Entry {
  /** What a host writes after `from`, for example `@keyward/core/effect`. */
  readonly specifier: string
  readonly path: string
}

const entriesOf = (packageName: string): ReadonlyArray<Entry> => {
  const manifest = readManifest(packageName)
  return Object.entries(manifest.exports).map(([subpath, conditions]) => ({
    specifier: `${manifest.name}${subpath.slice(1)}`,
    path: entryPath(packageName, conditions["@keyward/source"] ?? "missing"),
  }))
}

const entries = packageNames.flatMap(entriesOf)

const label = (name: string, isType: boolean): string => (isType ? `type ${name}` : name)

const isExported = (statement: ts.Statement): boolean =>
  ts.canHaveModifiers(statement) &&
  (ts.getModifiers(statement) ?? []).some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)

const namesOfExportDeclaration = (declaration: ts.ExportDeclaration): ReadonlyArray<string> => {
  const { exportClause, isTypeOnly, moduleSpecifier } = declaration
  if (exportClause === undefined) return [`* from ${moduleSpecifier?.getText() ?? "nowhere"}`]
  if (ts.isNamespaceExport(exportClause)) return [label(exportClause.name.text, isTypeOnly)]
  return exportClause.elements.map((element) => label(element.name.text, isTypeOnly || element.isTypeOnly))
}

const namesOfStatement = (statement: ts.Statement): ReadonlyArray<string> => {
  if (ts.isExportDeclaration(statement)) return namesOfExportDeclaration(statement)
  if (ts.isExportAssignment(statement)) return ["default"]
  if (!isExported(statement)) return []
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map((declaration) => declaration.name.getText())
  }
  if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
    return [label(statement.name.text, true)]
  }
  return ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)
    ? [statement.name?.text ?? "default"]
    : []
}

const byName = (left: string, right: string): number => {
  const [a, b] = [left.replace(/^type /, ""), right.replace(/^type /, "")]
  return a < b ? -1 : a > b ? 1 : 0
}

const exportsOf = (entry: Entry): ReadonlyArray<string> =>
  parse(entry.path).statements.flatMap(namesOfStatement).toSorted(byName)

describe("public exports", () => {
  it.each(entries)("of $specifier are named one by one", (entry) => {
    const names = exportsOf(entry)
    expect(names).not.toEqual([])
    expect(names.filter((name) => name.startsWith("*") || name === "default")).toEqual([])
    expect(new Set(names).size).toBe(names.length)
  })

  it("are the pinned ones", async () => {
    const listed = Object.fromEntries(entries.map((entry) => [entry.specifier, exportsOf(entry)]))
    await expect(`${JSON.stringify(listed, null, 2)}\n`).toMatchFileSnapshot(
      join(import.meta.dirname, "exports.json"),
      "the public exports differ from test/house/exports.json",
    )
  })
})
