/**
 * Imports point down, and never round in a circle: reads the imports of every package and compares them with the
 * floors of the house.
 *
 * Surfaces stand on the executor, the executor on the nouns, and the nouns on one another in the order of the sentence
 * "an identity calls a tool of an integration through a connection, whose credential its auth template applies".
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import {
  packageNames,
  readManifest,
  readSources,
  resolveRelative,
  type SourceFile,
  topFolder,
  workspace,
} from "./sources.ts"

/** From the ground up. Folders on one floor do not import each other. */
const nounFloors = [
  ["error"],
  ["identity", "http"],
  ["credential"],
  ["auth"],
  ["connection", "oauth"],
  ["tool"],
  ["policy", "audit"],
  ["integration"],
]

const nouns = nounFloors.flat()
const surfaces = ["index.ts", "effect.ts", "testing.ts", "testing"]

/** Which folders of core a folder may import, besides itself. */
const mayImport = new Map<string, ReadonlyArray<string>>([
  ...nounFloors.flatMap((folders, floor) =>
    folders.map((folder) => [folder, nounFloors.slice(0, floor).flat()] as const),
  ),
  ["memory", nouns],
  ["executor", [...nouns, "memory"]],
  ...surfaces.map((surface) => [surface, [...nouns, "memory", "executor", ...surfaces]] as const),
])

/** Modules that Effect marks unstable; core's contract has to outlive them. */
const unstableEffect = /^effect\/(http|http-api|sql|cli|ai|persistence|rpc|cluster|workflow)(\/|$)/

const core = readSources("core")
const wings = packageNames.filter((name) => name !== "core")
const sources = new Map(packageNames.map((name) => [name, readSources(name)]))
const sourcesOf = (packageName: string): ReadonlyArray<SourceFile> => sources.get(packageName) ?? []

const floorOf = (repositoryPath: string): string => topFolder(repositoryPath.replace("packages/core/src/", ""))

const relativeImports = (source: SourceFile): ReadonlyArray<string> =>
  source.specifiers.flatMap((specifier) => resolveRelative(source, specifier) ?? [])

const keywardImports = (source: SourceFile): ReadonlyArray<string> =>
  source.specifiers.filter((specifier) => specifier.startsWith("@keyward/"))

const arrowsUp = (source: SourceFile): ReadonlyArray<string> => {
  const from = topFolder(source.pathInSource)
  const allowed = mayImport.get(from) ?? []
  return relativeImports(source)
    .filter((target) => floorOf(target) !== from && !allowed.includes(floorOf(target)))
    .map((target) => `${source.path} → ${target}`)
}

/** Finds import cycles by a depth-first walk; each is reported once, as the path that closes it. */
const findCycles = (files: ReadonlyArray<SourceFile>): ReadonlyArray<string> => {
  const targets = new Map(files.map((file) => [file.path, relativeImports(file)]))
  const finished = new Set<string>()
  const cycles: Array<string> = []
  const walk = (path: string, trail: ReadonlyArray<string>): void => {
    const start = trail.indexOf(path)
    if (start !== -1) {
      cycles.push([...trail.slice(start), path].join(" → "))
      return
    }
    if (finished.has(path)) return
    for (const target of targets.get(path) ?? []) walk(target, [...trail, path])
    finished.add(path)
  }
  for (const file of files) walk(file.path, [])
  return cycles
}

describe("the floors of core", () => {
  it("finds sources to read", () => {
    expect(core.map((source) => source.pathInSource)).toContain("index.ts")
  })

  it("knows the floor of every folder", () => {
    const unknown = core.filter((source) => !mayImport.has(topFolder(source.pathInSource)))
    expect(unknown.map((source) => source.path)).toEqual([])
  })

  it("has no arrow that points up", () => {
    expect(core.flatMap(arrowsUp)).toEqual([])
  })

  it("builds on stable modules of Effect only", () => {
    const unstable = core.flatMap((source) =>
      source.specifiers
        .filter((specifier) => unstableEffect.test(specifier))
        .map((specifier) => `${source.path} → ${specifier}`),
    )
    expect(unstable).toEqual([])
  })

  it("does not import itself by its package name", () => {
    expect(core.flatMap(keywardImports)).toEqual([])
  })
})

describe.each(packageNames)("the imports of %s", (packageName) => {
  it("go round in no circle", () => {
    expect(findCycles(sourcesOf(packageName))).toEqual([])
  })

  it("lead to files of the package's own src", () => {
    const astray = sourcesOf(packageName).flatMap((source) =>
      relativeImports(source)
        .filter((target) => !target.startsWith(`packages/${packageName}/src/`) || !existsSync(join(workspace, target)))
        .map((target) => `${source.path} → ${target}`),
    )
    expect(astray).toEqual([])
  })
})

describe.each(wings)("the wing %s", (packageName) => {
  const publicEntries = Object.keys(readManifest("core").exports).map((entry) => `@keyward/core${entry.slice(1)}`)

  it("finds sources to read", () => {
    expect(sourcesOf(packageName).map((source) => source.pathInSource)).toContain("index.ts")
  })

  it("reaches core through its public entries, and no other wing", () => {
    const others = sourcesOf(packageName).flatMap((source) =>
      keywardImports(source)
        .filter((specifier) => !publicEntries.includes(specifier))
        .map((specifier) => `${source.path} → ${specifier}`),
    )
    expect(others).toEqual([])
  })
})
