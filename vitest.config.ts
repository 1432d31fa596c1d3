/** Lets editors and a bare `vitest` find the projects; they are defined in `vitest.workspace.ts`. */
export { default } from "./vitest.workspace.ts"
