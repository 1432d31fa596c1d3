/**
 * Leaves out of a document what no tool is made of, before it is stored: response examples, callbacks, webhooks, code
 * samples, tags. GitHub's shrinks to less than half.
 *
 * Schemas, parameters and request bodies stay as they are, their examples included.
 */
import { isJsonObject, type JsonObject, listOf, type MutableJsonObject, objectOf } from "../Json.ts"

/** Slims a document; takes it over and changes it. */
export const slimDocument = (root: MutableJsonObject): MutableJsonObject => {
  const components = root["components"]
  const usedExamples = new Set<string>()
  for (const item of Object.values(objectOf(root["paths"]))) if (isJsonObject(item)) slimPathItem(item, usedExamples)
  if (isJsonObject(components)) {
    for (const item of Object.values(objectOf(components["pathItems"])))
      if (isJsonObject(item)) slimPathItem(item, usedExamples)
    for (const response of Object.values(objectOf(components["responses"]))) slimResponse(response)
    for (const parameter of Object.values(objectOf(components["parameters"]))) noteExamples(parameter, usedExamples)
    for (const body of Object.values(objectOf(components["requestBodies"]))) noteBodyExamples(body, usedExamples)
    const examples = Object.entries(objectOf(components["examples"])).filter(([name]) => usedExamples.has(name))
    components["examples"] = Object.fromEntries(examples)
    for (const key of ["links", "callbacks"]) delete components[key]
  }
  for (const key of ["webhooks", "tags", "externalDocs"]) delete root[key]
  return root
}

const slimPathItem = (item: MutableJsonObject, usedExamples: Set<string>): void => {
  for (const parameter of listOf(item["parameters"])) noteExamples(parameter, usedExamples)
  const operations = [...Object.values(item), ...Object.values(objectOf(item["additionalOperations"]))]
  for (const operation of operations) {
    if (!isJsonObject(operation)) continue
    for (const key of Object.keys(operation)) {
      if (key === "callbacks" || key === "externalDocs" || key.startsWith("x-")) delete operation[key]
    }
    for (const parameter of listOf(operation["parameters"])) noteExamples(parameter, usedExamples)
    noteBodyExamples(operation["requestBody"], usedExamples)
    for (const response of Object.values(objectOf(operation["responses"]))) slimResponse(response)
  }
}

const slimResponse = (response: unknown): void => {
  if (!isJsonObject(response)) return
  for (const key of ["headers", "links", "examples"]) delete response[key]
  for (const content of Object.values(objectOf(response["content"]))) {
    if (!isJsonObject(content)) continue
    delete content["example"]
    delete content["examples"]
  }
}

const noteBodyExamples = (body: unknown, usedExamples: Set<string>): void => {
  for (const content of Object.values(objectOf(objectOf(body)["content"]))) noteExamples(content, usedExamples)
}

const noteExamples = (holder: unknown, usedExamples: Set<string>): void => {
  for (const example of Object.values(objectOf((holder as JsonObject | null)?.["examples"]))) {
    const reference = objectOf(example)["$ref"]
    if (typeof reference === "string") usedExamples.add(reference.slice(reference.lastIndexOf("/") + 1))
  }
}
