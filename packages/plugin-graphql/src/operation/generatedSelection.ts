/**
 * What a tool selects when the caller does not say: enough to work with, little enough to be answered.
 *
 * All scalars of the field's own type, and of the objects in it what tells them apart. Left out are fields that require arguments,
 * deprecated ones, what sounds like a secret, and lists inside that are paged (services refuse those without a page size, or make them
 * costly). Pages (`nodes`, or `edges` with `node`) and the payloads of mutations count as wrappings, so that what they hold is selected like
 * the field's own type. Unions and interfaces get `__typename` and a fragment for each member.
 */
import {
  type FieldNode,
  getNamedType,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLNamedOutputType,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
} from "graphql"

/** The selection for a field; `undefined` where its type has no fields. */
export const generatedSelection = (
  schema: GraphQLSchema,
  field: GraphQLField,
  isMutation: boolean,
): SelectionSetNode | undefined => {
  const type = getNamedType(field.type)
  return isCompositeType(type) ? setOf(new SelectionWriter(schema, isMutation).root(type)) : undefined
}

/** Whether an object is one page of a list, after Relay's [connections](https://relay.dev/graphql/connections.htm). */
const isPage = (type: GraphQLNamedOutputType): type is GraphQLObjectType => {
  if (!isObjectType(type)) return false
  const { nodes, edges, pageInfo } = type.getFields()
  return (nodes !== undefined || edges !== undefined) && (pageInfo !== undefined || type.name.endsWith("Connection"))
}

/** The most fields of one selection. */
const mostFields = 150
/** How many scalars of the field's own type, of an object in it, and of a member of a union are selected. */
const mostLeaves = { own: 60, inner: 5, member: 15 } as const
/** A union or interface with more members than this gets no fragments: most would be of no use. */
const mostMembers = 12

/** What tells objects apart and says what happened, for the few that are selected of an inner object. */
const telling = new Set([
  "id",
  "name",
  "login",
  "title",
  "key",
  "slug",
  "number",
  "code",
  "field",
  "message",
  "status",
  "state",
  "email",
  "url",
  "description",
])

const pagingArguments = new Set(["first", "last", "limit", "top", "take", "perPage", "per_page", "pageSize", "page"])

type Level = keyof typeof mostLeaves

/** Which fields of a scope answer under which name: two fields of one name must have the same type, fragment or not. */
type Scope = Map<string, string>

class SelectionWriter {
  readonly #schema: GraphQLSchema
  readonly #isMutation: boolean
  readonly #roots: ReadonlySet<unknown>
  /** An inner object is selected alike wherever it occurs, so that fragments side by side cannot disagree. */
  readonly #inner = new Map<string, ReadonlyArray<SelectionNode>>()
  #left = mostFields

  constructor(schema: GraphQLSchema, isMutation: boolean) {
    this.#schema = schema
    this.#isMutation = isMutation
    this.#roots = new Set([schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()])
  }

  /** The selections of a field of the root. */
  root(type: GraphQLCompositeType): ReadonlyArray<SelectionNode> {
    if (isPage(type)) return this.#page(type)
    if (this.#isMutation && isObjectType(type) && payloadName.test(type.name)) return this.#payload(type)
    return this.#own(type)
  }

  #own(type: GraphQLCompositeType): ReadonlyArray<SelectionNode> {
    if (isAbstractType(type)) return this.#abstract(type, "own")
    const selections = this.#fields(type, "own", new Map())
    return selections.length > 0 ? selections : [typename]
  }

  /** Scalars, the page's place in the list, and what is on the page. */
  #page(type: GraphQLObjectType): ReadonlyArray<SelectionNode> {
    const { nodes, edges, pageInfo } = type.getFields()
    const selections = [...this.#leaves(type, mostLeaves.inner, new Map())]
    if (pageInfo !== undefined && isPlain(pageInfo)) selections.push(...this.#within(pageInfo, "own"))
    const list = nodes !== undefined && isPlain(nodes) ? nodes : undefined
    if (list !== undefined) selections.push(...this.#within(list, "own"))
    else if (edges !== undefined && isPlain(edges)) selections.push(...this.#edges(edges))
    return selections.length > 0 ? selections : [typename]
  }

  #edges(edges: GraphQLField): ReadonlyArray<SelectionNode> {
    const type = getNamedType(edges.type)
    if (!isObjectType(type)) return this.#within(edges, "own")
    const { node } = type.getFields()
    const inside = [...this.#leaves(type, mostLeaves.inner, new Map())]
    if (node !== undefined && isPlain(node)) inside.push(...this.#within(node, "own"))
    return inside.length > 0 ? [fieldNode(edges.name, inside)] : []
  }

  #payload(type: GraphQLObjectType): ReadonlyArray<SelectionNode> {
    const selections = [...this.#leaves(type, mostLeaves.own, new Map())]
    for (const field of plainFields(type)) {
      const inner = getNamedType(field.type)
      if (isCompositeType(inner) && !this.#roots.has(inner) && !isPaged(field, inner)) {
        selections.push(...this.#within(field, "own"))
      }
    }
    return selections.length > 0 ? selections : [typename]
  }

  /** A field with what is selected in it; nothing when there is no room. */
  #within(field: GraphQLField, level: Level): ReadonlyArray<SelectionNode> {
    const type = getNamedType(field.type)
    if (this.#left <= 0) return []
    this.#left -= 1
    if (!isCompositeType(type)) return [fieldNode(field.name)]
    const inside = level === "inner" ? this.#innerOf(type) : this.#own(type)
    return inside.length > 0 ? [fieldNode(field.name, inside)] : []
  }

  #innerOf(type: GraphQLCompositeType): ReadonlyArray<SelectionNode> {
    const known = this.#inner.get(type.name)
    if (known !== undefined) {
      this.#left -= known.length
      return known
    }
    const selections = isAbstractType(type)
      ? this.#abstract(type, "inner")
      : this.#leaves(type, mostLeaves.inner, new Map())
    this.#inner.set(type.name, selections)
    return selections
  }

  /** Scalars, then objects with what tells them apart. */
  #fields(type: GraphQLObjectType | GraphQLCompositeType, level: Level, scope: Scope): ReadonlyArray<SelectionNode> {
    const selections = [...this.#leaves(type, mostLeaves[level], scope)]
    if (level === "inner") return selections
    for (const field of plainFields(type)) {
      const inner = getNamedType(field.type)
      if (!isCompositeType(inner) || this.#roots.has(inner) || isPaged(field, inner)) continue
      const name = claim(scope, field, type)
      if (name === undefined) continue
      const inside = this.#left > mostLeaves.inner ? this.#within(field, "inner") : []
      selections.push(...inside.map((node) => (name === field.name ? node : aliased(node, name))))
    }
    return selections
  }

  #leaves(type: GraphQLCompositeType, limit: number, scope: Scope): ReadonlyArray<SelectionNode> {
    const leaves = plainFields(type).filter(
      (field) => isLeafType(getNamedType(field.type)) && !isPaged(field, undefined) && !this.#isSecret(field),
    )
    const chosen =
      leaves.length <= limit ? leaves : [...leaves.filter(isTelling), ...leaves.filter(isOther)].slice(0, limit)
    const selections: Array<SelectionNode> = []
    for (const field of chosen) {
      if (this.#left <= 0) break
      const name = claim(scope, field, type)
      if (name === undefined) continue
      this.#left -= 1
      selections.push(name === field.name ? fieldNode(name) : aliased(fieldNode(field.name), name))
    }
    return selections
  }

  /** What a mutation made may be a secret that is shown once; anything else is not handed around unasked. */
  #isSecret({ name }: GraphQLField): boolean {
    return !this.#isMutation && secretName.test(name)
  }

  #abstract(type: GraphQLCompositeType, level: Level): ReadonlyArray<SelectionNode> {
    const scope: Scope = new Map()
    const selections: Array<SelectionNode> = [typename]
    if (isInterfaceType(type)) selections.push(...this.#fields(type, level, scope))
    const members = isAbstractType(type) ? this.#schema.getPossibleTypes(type) : []
    // Of an inner object its interface says enough.
    if (members.length > mostMembers || (level === "inner" && selections.length > 1)) return selections
    // What the interface itself selects is not selected again in each fragment.
    const shared = new Set(isInterfaceType(type) ? Object.keys(type.getFields()) : [])
    // A share for each, else the first members leave nothing to the others.
    const share = Math.floor(this.#left / members.length)
    for (const member of members) {
      const rest = this.#left - share
      this.#left = share
      const inside = this.#fields(member, level === "own" ? "member" : "inner", scope).filter(
        (node) => node.kind !== Kind.FIELD || !shared.has(node.name.value),
      )
      this.#left += rest
      if (inside.length > 0) selections.push(fragmentOf(member, inside))
    }
    return selections
  }
}

const payloadName = /(Payload|Result|Response|Output)$/

const secretName =
  /password|passphrase|secret|private_?key|api_?key|credential|(?<!next|page|previous|prev|continuation)_?token$/i

const isTelling = ({ name }: GraphQLField): boolean => telling.has(name)
const isOther = (field: GraphQLField): boolean => !isTelling(field)

/** Fields that can be selected as they are. */
const plainFields = (type: GraphQLCompositeType): ReadonlyArray<GraphQLField> =>
  "getFields" in type ? Object.values(type.getFields()).filter(isPlain) : []

const isPlain = ({ name, args, deprecationReason }: GraphQLField): boolean =>
  !name.startsWith("__") &&
  (deprecationReason === undefined || deprecationReason === null) &&
  !args.some(isRequiredArgument)

const isPaged = (field: GraphQLField, type: GraphQLNamedOutputType | undefined): boolean =>
  (type !== undefined && isPage(type)) || field.args.some(({ name }) => pagingArguments.has(name))

/**
 * The name under which a field may be selected in a scope: its own, or, where a fragment beside it took that for another type, one with
 * the type's name; `undefined` where both are taken.
 */
const claim = (scope: Scope, field: GraphQLField, type: GraphQLCompositeType): string | undefined => {
  const signature = `${field.name}: ${String(field.type)}`
  for (const name of [field.name, `${field.name}_${type.name}`]) {
    const known = scope.get(name)
    if (known !== undefined && known !== signature) continue
    scope.set(name, signature)
    return name
  }
  return undefined
}

const nameNode = (value: string) => ({ kind: Kind.NAME, value }) as const

const setOf = (selections: ReadonlyArray<SelectionNode>): SelectionSetNode => ({
  kind: Kind.SELECTION_SET,
  selections,
})

const fieldNode = (name: string, selections?: ReadonlyArray<SelectionNode>): FieldNode => ({
  kind: Kind.FIELD,
  name: nameNode(name),
  ...(selections === undefined ? {} : { selectionSet: setOf(selections) }),
})

const aliased = (node: SelectionNode, alias: string): SelectionNode =>
  node.kind === Kind.FIELD ? { ...node, alias: nameNode(alias) } : node

const fragmentOf = (type: GraphQLObjectType, selections: ReadonlyArray<SelectionNode>): SelectionNode => ({
  kind: Kind.INLINE_FRAGMENT,
  typeCondition: { kind: Kind.NAMED_TYPE, name: nameNode(type.name) },
  selectionSet: setOf(selections),
})

const typename = fieldNode("__typename")
