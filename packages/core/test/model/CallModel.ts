/**
 * The oracle about calls: on top of who may do what, the identity modes, defaults and rules of one tenant, and so which account a call
 * runs as.
 */
import {
  AccessModel,
  type Capability,
  type ModelCaller,
  type ModelConnection,
  type ModelShown,
  toolNeeds,
} from "./AccessModel.ts"

export type ModelMode = "admin" | "shared" | "per_user" | "either"
export type ModelAction = "approve" | "require_approval" | "block"
export type ModelTool = keyof typeof toolNeeds

/** The tools of every integration. */
export const toolNames = Object.keys(toolNeeds) as ReadonlyArray<ModelTool>

export interface ModelRule {
  readonly id: string
  /** `null`: the organisation's. */
  readonly subject: string | null
  readonly pattern: string
  readonly order: number
  readonly createdAt: number
  action: ModelAction
}

/** What a call says about the account that it wants; `account` is a name, a label, or an address. */
export interface ModelRequest {
  readonly identity?: "org" | "user" | undefined
  readonly account?: string | undefined
}

/** One tenant, as its calls see it. */
export class CallModel extends AccessModel {
  readonly modes = new Map<string, ModelMode>()
  readonly defaults = new Map<string, { readonly name: string; readonly connection: ModelConnection }>()
  rules: Array<ModelRule> = []

  /**
   * The most restrictive of what the organisation and the user say; else people are asked about writes, of requests only about those of
   * agents. Of a shared connection what is said of it by its own name, also by its owner, can only restrict.
   */
  decision({ subject, agent }: ModelCaller, shown: ModelShown, need: Capability): ModelAction {
    const { owner, name } = shown.connection
    const tool = need === "raw read" || need === "raw write" ? "fetch" : need
    const said = this.#said(subject, shown, tool)
    const isAsked = need === "issues.create" || (need === "raw write" && agent !== null)
    const decided = strictest(said) ?? (isAsked ? "require_approval" : "approve")
    const isShared = owner !== null && owner !== subject
    return isShared ? (strictest([decided, ...this.#said(owner, { ...shown, name }, tool)]) ?? decided) : decided
  }

  /** What the first rule of the organisation and the first of a user say. */
  #said(
    subject: string | null,
    { integration, owner, name }: Omit<ModelShown, "connection">,
    tool: string,
  ): ReadonlyArray<ModelAction> {
    const ofSubjects = subject === null ? [null] : [null, subject]
    return ofSubjects.flatMap((whose) => {
      const about = this.rules.filter(
        (rule) => rule.subject === whose && isAbout(rule.pattern, [integration, owner, name, tool]),
      )
      const [first] = about.toSorted(
        (one, other) => one.order - other.order || one.createdAt - other.createdAt || (one.id < other.id ? -1 : 1),
      )
      return first === undefined ? [] : [first.action]
    })
  }

  /** Whose connections calls of an integration may run as. */
  ownersOf(integration: string): ReadonlyArray<"org" | "user"> {
    const mode = this.modes.get(integration) ?? "either"
    return mode === "either" ? ["org", "user"] : mode === "per_user" ? ["user"] : ["org"]
  }

  /** Whether a caller may call a tool, or send a request, of a connection that is there for them. */
  mayUse(caller: ModelCaller, shown: ModelShown, need: Capability): boolean {
    return (
      this.of(caller, shown.connection).has(need) &&
      this.ownersOf(shown.integration).includes(shown.owner) &&
      this.decision(caller, shown, need) !== "block"
    )
  }

  /** What lists show: every tool's address that a caller may call. */
  listed(caller: ModelCaller): ReadonlyArray<string> {
    return this.shown(caller).flatMap((shown) =>
      toolNames.filter((tool) => this.mayUse(caller, shown, tool)).map((tool) => `${addressOf(shown)}.${tool}`),
    )
  }

  /** The connection that a call runs as, if one may be chosen. */
  selected(caller: ModelCaller, integration: string, request: ModelRequest): ModelShown | undefined {
    const address = request.account?.startsWith("tools.") === true ? request.account.split(".") : undefined
    const asked = (address?.[2] as "org" | "user" | undefined) ?? request.identity
    if (!this.allows(caller.agent, integration) || asked !== (request.identity ?? asked)) return undefined
    const owners = this.ownersOf(integration)
    const owner = asked ?? (owners.length === 1 ? owners[0] : caller.subject === null ? "org" : "user")
    if (owner === undefined || !owners.includes(owner) || (owner === "user" && caller.subject === null))
      return undefined
    const there = this.shown(caller).filter((one) => one.integration === integration && one.owner === owner)
    const named = (name: string | undefined): ModelShown | undefined => there.find((one) => one.name === name)
    if (address !== undefined) return address[1] === integration ? named(address[3]) : undefined
    if (request.account !== undefined) {
      const account = request.account.replace(`${integration}:`, "").toLowerCase()
      const isOwn = ({ connection }: ModelShown): boolean =>
        connection.owner === (owner === "org" ? null : caller.subject)
      const byName = there.filter(({ name }) => name.toLowerCase() === account)
      // One's own by name or label, before what others share, which goes by its name alone.
      const alike = [
        byName.filter(isOwn),
        there.filter((one) => isOwn(one) && one.connection.label?.toLowerCase() === account),
        byName,
      ].find(({ length }) => length > 0)
      return alike?.length === 1 ? alike[0] : undefined
    }
    const marked = this.defaults.get(accountsOf(owner, caller.subject, integration))
    const shown = named(marked?.name)
    if (shown !== undefined && shown.connection === marked?.connection) return shown
    const own = there.filter(({ connection }) => connection.owner === (owner === "org" ? null : caller.subject))
    return own.length === 1 ? own[0] : undefined
  }
}

const strictest = (actions: ReadonlyArray<ModelAction>): ModelAction | undefined =>
  (["block", "require_approval", "approve"] as const).find((action) => actions.includes(action))

/** A connection's address. */
export const addressOf = ({ integration, owner, name }: Omit<ModelShown, "connection">): string =>
  `tools.${integration}.${owner}.${name}`

/** Names whose connections of which integration. */
export const accountsOf = (owner: "org" | "user", subject: string | null, integration: string): string =>
  JSON.stringify([owner === "org" ? null : subject, integration])

/** `*` is any run of characters, in the tool's name dots too. */
const isAbout = (pattern: string, address: ReadonlyArray<string>): boolean => {
  const [, ...parts] = pattern.split(".")
  const wanted = [...parts.slice(0, 3), parts.slice(3).join(".")]
  return wanted.every((part, at) =>
    part.endsWith("*") ? address[at]?.startsWith(part.slice(0, -1)) === true : address[at] === part,
  )
}
