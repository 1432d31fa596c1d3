/**
 * The oracle of the model-based test: who may do what, said once more in as few words as possible, over sets of capabilities.
 *
 * It shares nothing with the implementation. A capability is a tool, or reading or writing by requests of one's own.
 */

/** The tools of every integration, and what each needs. */
export const toolNeeds = { "issues.list": "read", "issues.create": "write", "users.list": "read" } as const
export type Capability = keyof typeof toolNeeds | "raw read" | "raw write"

/** What a grant or a share covers. */
export interface ModelScope {
  readonly access: ReadonlyArray<"read" | "write">
  readonly tools?: ReadonlyArray<string>
}

/** What is granted to or shared with somebody, by the identities of things and never by their names. */
interface Handed {
  readonly connection: ModelConnection
  readonly scope: ModelScope
  readonly capabilities: ReadonlySet<Capability>
}
interface ModelGrant extends Handed {
  readonly agent: ModelAgent
  /** `null`: for whomever the agent acts. */
  readonly subject: string | null
  /** Who handed it on; `null`: a host. */
  readonly by: ModelAgent | null
  /** What it was called then. */
  readonly as: Omit<ModelShown, "connection">
}
interface ModelShare extends Handed {
  readonly to: string | ModelAgent
  readonly as: string
}

export interface ModelConnection {
  readonly owner: string | null
  readonly integration: string
  readonly name: string
  label: string | null
  secret: string
  isDisabled: boolean
}

export interface ModelAgent {
  readonly id: string
  readonly parent: ModelAgent | null
  integrations: "all" | ReadonlyArray<string>
  key: string
}

/** A connection as a caller sees it: shared ones under another name. */
export interface ModelShown {
  readonly owner: "org" | "user"
  readonly integration: string
  readonly name: string
  readonly connection: ModelConnection
}

/** A user, nobody, or an agent that acts for one of them. */
export interface ModelCaller {
  readonly subject: string | null
  readonly agent: ModelAgent | null
}

const all: ReadonlySet<Capability> = new Set<Capability>([
  "issues.list",
  "issues.create",
  "users.list",
  "raw read",
  "raw write",
])

/** One tenant. */
export class AccessModel {
  connections: Array<ModelConnection> = []
  agents: Array<ModelAgent> = []
  grants: Array<ModelGrant> = []
  shares: Array<ModelShare> = []

  connection(owner: string | null, integration: string, name: string): ModelConnection | undefined {
    return this.connections.find((one) => one.owner === owner && one.integration === integration && one.name === name)
  }

  agent(id: string): ModelAgent | undefined {
    return this.agents.find((one) => one.id === id)
  }

  removeConnection(connection: ModelConnection): void {
    this.connections = this.connections.filter((one) => one !== connection)
    this.grants = this.grants.filter((one) => one.connection !== connection)
    this.shares = this.shares.filter((one) => one.connection !== connection)
  }

  removeAgent(agent: ModelAgent): void {
    const gone = this.agents.filter((one) => chainOf(one).includes(agent))
    this.agents = this.agents.filter((one) => !gone.includes(one))
    this.grants = this.grants.filter((one) => !gone.includes(one.agent))
    this.shares = this.shares.filter(({ to }) => typeof to === "string" || !gone.includes(to))
  }

  /** Ends what rests on a right that somebody lost and is not covered by another one: what was lent on, and what was handed on. */
  endUnsupported(connection: ModelConnection, loser: string | ModelAgent | undefined): void {
    const isLost = ({ by, subject }: ModelGrant): boolean =>
      by !== null && (typeof loser === "object" ? chainOf(by).includes(loser) : subject === loser)
    const isEnded = (one: ModelGrant): boolean => {
      if (one.connection !== connection) return false
      const { by, subject } = one
      if (by !== null) return isLost(one) && !this.#covers(by, subject, connection, one.scope)
      const isOwn = connection.owner === null || connection.owner === subject
      return !isOwn && !this.shares.some((share) => share.connection === connection && share.to === subject)
    }
    const left = this.grants.filter((one) => !isEnded(one))
    if (left.length === this.grants.length) return
    this.grants = left
    this.endUnsupported(connection, loser)
  }

  /** Whether an agent, and every one above it, has a right that covers each part of a scope as it is written. */
  #covers(agent: ModelAgent, subject: string | null, connection: ModelConnection, wanted: ModelScope): boolean {
    const of = (to: string | ModelAgent | null): ReadonlyArray<ModelScope> =>
      this.shares.filter((share) => share.connection === connection && share.to === to).map(({ scope }) => scope)
    const isOwn = connection.owner === null || connection.owner === subject
    const rightsOf = (link: ModelAgent): ReadonlyArray<ReadonlyArray<ModelScope>> => [
      ...of(link).map((scope) => [scope]),
      ...this.grants
        .filter((one) => one.agent === link && one.connection === connection)
        .flatMap(({ subject: counts, scope }) => {
          if (counts === null) return [[scope]]
          if (counts !== subject) return []
          return isOwn ? [[scope]] : of(subject).map((share) => [scope, share])
        }),
    ]
    const parts = wanted.access.flatMap((access) => (wanted.tools ?? [null]).map((tool) => ({ access, tool })))
    return chainOf(agent).every((link) =>
      parts.every((part) => rightsOf(link).some((right) => right.every((scope) => isPartOf(part, scope)))),
    )
  }

  /** What a user may do with a connection. */
  ofSubject(subject: string | null, connection: ModelConnection): ReadonlySet<Capability> {
    if (connection.owner === null || connection.owner === subject) return all
    return union(this.shares.filter((share) => share.connection === connection && share.to === subject))
  }

  /** What an agent may do with a connection, its allowed integrations left aside. */
  ofAgent(agent: ModelAgent, subject: string | null, connection: ModelConnection): ReadonlySet<Capability> {
    const mine = this.ofSubject(subject, connection)
    const links = chainOf(agent).map((link) => {
      const granted = this.grants.filter((one) => one.agent === link && one.connection === connection)
      const bySubject = granted.filter((one) => one.subject !== null && one.subject === subject)
      return new Set<Capability>([
        ...union(this.shares.filter((one) => one.to === link && one.connection === connection)),
        ...union(granted.filter((one) => one.subject === null)),
        ...[...union(bySubject)].filter((one) => mine.has(one)),
      ])
    })
    return new Set([...all].filter((one) => links.every((link) => link.has(one))))
  }

  /** What a caller may do with a connection. */
  of({ subject, agent }: ModelCaller, connection: ModelConnection): ReadonlySet<Capability> {
    if (agent === null) return this.ofSubject(subject, connection)
    return this.allows(agent, connection.integration) ? this.ofAgent(agent, subject, connection) : new Set()
  }

  /** The connection that a caller means by a name, whether they may use it or not. */
  meant(
    { subject, agent }: ModelCaller,
    owner: "org" | "user",
    integration: string,
    name: string,
  ): ModelConnection | undefined {
    if (owner === "org") return this.connection(null, integration, name)
    const own = subject === null ? undefined : this.connection(subject, integration, name)
    if (own !== undefined) return own
    const recipients = [subject, ...(agent === null ? [] : chainOf(agent))]
    for (const recipient of recipients) {
      const share = this.shares.find(
        (one) =>
          one.to === recipient &&
          one.as === name &&
          one.connection.integration === integration &&
          one.connection.owner !== subject,
      )
      if (share !== undefined) return share.connection
    }
    return undefined
  }

  /** Whether an agent and all above it have the tools of an integration. */
  allows(agent: ModelAgent | null, integration: string): boolean {
    if (agent === null) return true
    const isAllowed = ({ integrations }: ModelAgent): boolean =>
      integrations === "all" || integrations.includes(integration)
    return this.agents.includes(agent) && chainOf(agent).every(isAllowed)
  }

  /** Whether a connection is there for a caller, even if nothing of it is for them. */
  sees({ subject, agent }: ModelCaller, connection: ModelConnection): boolean {
    const isLent = (to: string | ModelAgent | null): boolean =>
      this.shares.some((one) => one.connection === connection && one.to === to)
    const isOfSubject = connection.owner === null || connection.owner === subject || isLent(subject)
    if (agent === null) return isOfSubject
    return (
      this.allows(agent, connection.integration) &&
      chainOf(agent).every(
        (link) =>
          isLent(link) ||
          this.grants.some(
            (one) =>
              one.agent === link &&
              one.connection === connection &&
              (one.subject === null || (one.subject === subject && isOfSubject)),
          ),
      )
    )
  }

  /** Every connection that is there for a caller. */
  shown(caller: ModelCaller): ReadonlyArray<ModelShown> {
    const names = new Map<string, Omit<ModelShown, "connection">>()
    const add = (one: Omit<ModelShown, "connection">): unknown => names.set(JSON.stringify(one), one)
    for (const { owner, integration, name } of this.connections) {
      add({ owner: owner === null ? "org" : "user", integration, name })
    }
    for (const { as, connection } of this.shares) add({ owner: "user", integration: connection.integration, name: as })
    return [...names.values()].flatMap((ref) => {
      const connection = this.meant(caller, ref.owner, ref.integration, ref.name)
      return connection !== undefined && this.sees(caller, connection) ? [{ ...ref, connection }] : []
    })
  }
}

/** An agent and those above it. */
const chainOf = (agent: ModelAgent): ReadonlyArray<ModelAgent> =>
  agent.parent === null ? [agent] : [agent, ...chainOf(agent.parent)]

const isPartOf = (
  { access, tool }: { readonly access: "read" | "write"; readonly tool: string | null },
  scope: ModelScope,
): boolean =>
  scope.access.includes(access) &&
  (scope.tools === undefined || (tool !== null && scope.tools.some((one) => isMatch(one, tool))))

const isMatch = (pattern: string, tool: string): boolean =>
  pattern === tool || (pattern === "issues.*" && tool.startsWith("issues."))

/** What a scope covers. */
export const capabilitiesOf = ({ access, tools }: ModelScope): ReadonlySet<Capability> => {
  const covered = (Object.keys(toolNeeds) as Array<keyof typeof toolNeeds>).filter(
    (tool) => access.includes(toolNeeds[tool]) && (tools === undefined || tools.some((one) => isMatch(one, tool))),
  )
  const raw = tools === undefined ? access.map((one) => `raw ${one}` as const) : []
  return new Set<Capability>([...covered, ...raw])
}

const union = (handed: ReadonlyArray<Handed>): ReadonlySet<Capability> =>
  new Set(handed.flatMap(({ capabilities }) => [...capabilities]))
