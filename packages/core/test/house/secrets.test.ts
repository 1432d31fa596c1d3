/**
 * Keeps the list of files that unwrap a secret short: everything else passes `Redacted` on.
 *
 * Counts each mention of `Redacted.value`, called or handed on, under whatever name the module was imported. A new line
 * in the list below needs a reason; a file that no longer unwraps has to leave it.
 */
import ts from "typescript"
import { describe, expect, it } from "vitest"
import { packageNames, parse, readSources } from "./sources.ts"

/** Each file that may see a secret in clear, and what for. */
const allowed = new Map([
  ["packages/core/src/auth/applyAuth.ts", "places the values in the request"],
  ["packages/core/src/auth/applyEnvironment.ts", "places the values in the environment of a process"],
  ["packages/core/src/credential/CredentialProvider.ts", "hands the value to providers written with Promises"],
  ["packages/core/src/credential/KeySource.ts", "stretches the passphrase, or hands on the key, that seals secrets"],
  ["packages/core/src/executor/oauth/tokenItems.ts", "hashes tokens, to tell two of them apart"],
  ["packages/core/src/executor/Extensions.ts", "hands the value to plugins written with Promises that ask for it"],
  ["packages/core/src/executor/oauth/newSession.ts", "hands the state of a flow to the host that started it"],
  ["packages/core/src/identity/signedIdentity.ts", "signs and verifies callers with the host's keys"],
  ["packages/core/src/oauth/AuthorizationRequest.ts", "hashes the verifier and puts state into the browser's address"],
  ["packages/core/src/oauth/ClientRegistration.ts", "sends the initial access token and the registration token"],
  ["packages/core/src/oauth/ClientAuthentication.ts", "proves the client by its secret"],
  ["packages/core/src/oauth/Dpop.ts", "signs proofs with the private key, and names the access token's hash in them"],
  [
    "packages/core/src/oauth/TokenEndpoint.ts",
    "sends the code, the refresh token or the assertion that tokens are asked for with",
  ],
  ["packages/core/src/oauth/TokenRevocation.ts", "sends the token that is to be revoked"],
  ["packages/core/src/oauth/signAssertion.ts", "signs assertions with the private key"],
  ["packages/core/src/oauth/sealedSession.ts", "encrypts what a flow under way keeps secret"],
  ["packages/core/src/testing/providerProbe.ts", "compares what a provider under test gave back"],
  ["packages/provider-encrypted-file/src/vaultSeal.ts", "encrypts the value it stores"],
  ["packages/provider-keychain/src/Keychain.ts", "hands the value to the operating system"],
  ["packages/provider-onepassword/src/opCli.ts", "hands the service account token to the CLI in its environment"],
  ["packages/store-sql/src/secretSeal.ts", "encrypts the value it stores"],
])

interface RedactedNames {
  /** Names of the whole module: `Redacted` in `import * as Redacted from "effect/Redacted"`. */
  readonly modules: Set<string>
  /** Names of the function alone: `reveal` in `import { value as reveal } from "effect/Redacted"`. */
  readonly functions: Set<string>
}

const importedName = (specifier: ts.ImportSpecifier): string => (specifier.propertyName ?? specifier.name).text

const namesIn = (file: ts.SourceFile): RedactedNames => {
  const names: RedactedNames = { modules: new Set(), functions: new Set() }
  for (const statement of file.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue
    const bindings = statement.importClause?.namedBindings
    if (bindings === undefined) continue
    const module = statement.moduleSpecifier.text
    if (ts.isNamespaceImport(bindings)) {
      if (module === "effect/Redacted") names.modules.add(bindings.name.text)
      continue
    }
    for (const specifier of bindings.elements) {
      if (module === "effect" && importedName(specifier) === "Redacted") names.modules.add(specifier.name.text)
      if (module === "effect/Redacted" && importedName(specifier) === "value") names.functions.add(specifier.name.text)
    }
  }
  return names
}

const unwraps = (path: string): boolean => {
  const file = parse(path)
  const { modules, functions } = namesIn(file)
  if (functions.size > 0) return true
  const visit = (node: ts.Node): boolean =>
    (ts.isPropertyAccessExpression(node) &&
      node.name.text === "value" &&
      ts.isIdentifier(node.expression) &&
      modules.has(node.expression.text)) ||
    ts.forEachChild(node, (child) => visit(child) || undefined) === true
  return visit(file)
}

describe("secrets", () => {
  it("are unwrapped in the listed files and nowhere else", () => {
    const unwrapping = packageNames
      .flatMap(readSources)
      .map((source) => source.path)
      .filter(unwraps)
    expect(unwrapping).toEqual([...allowed.keys()].toSorted())
  })
})
