/**
 * Stops a script early, with a way out, when it runs on a Node that is too old.
 *
 * pnpm puts the Node of the optional dependency `node-<platform>` first on PATH. When that download is
 * missing, scripts silently run on the system's Node, and everything after this check would fail in ways
 * that do not name the cause. Plain JavaScript on purpose: an old Node has to be able to read it.
 */
const required = { major: 22, minor: 19 }

const [major, minor] = process.versions.node.split(".").map(Number)
const isNewEnough = major > required.major || (major === required.major && minor >= required.minor)

if (!isNewEnough) {
  console.error(
    [
      `Keyward needs Node ${required.major}.${required.minor} or newer; this script runs on ${process.versions.node}.`,
      "The lockfile brings Node 24 as an optional dependency. Install it and run the script through pnpm again:",
      "",
      "  npx -y pnpm@12.21.0 install --force",
      "",
      "On a platform without such a package (Windows, for one), install Node 24 yourself and put it first on PATH.",
    ].join("\n"),
  )
  process.exit(1)
}
