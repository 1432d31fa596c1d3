/**
 * Arguments as one text, equal for equal arguments only: what an approval is held to.
 *
 * JSON with sorted keys, in the manner of RFC 8785, and a spelling of its own for what JavaScript has besides and plugins can tell apart.
 */

/** The text of plain data; `undefined` for what is not plain: functions, class instances, accessors, cycles, and more than 1 MB. */
export const canonicalArguments = (args: unknown): string | undefined => {
  const writer = new Writer()
  return writer.write(args, 0) ? writer.parts.join("") : undefined
}

const deepest = 128
const longest = 1_048_576

class Writer {
  readonly parts: Array<string> = []
  #length = 0

  write(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case "string":
        return this.#put(JSON.stringify(value))
      case "number":
        return this.#put(Object.is(value, -0) ? "-0" : String(value))
      case "boolean":
      case "undefined":
        return this.#put(String(value))
      case "bigint":
        return this.#put(`${value}n`)
      case "object":
        return value === null ? this.#put("null") : depth < deepest && this.#object(value, depth)
      default:
        return false
    }
  }

  #object(value: object, depth: number): boolean {
    if (Array.isArray(value)) {
      // A hole is none of the values, and extra properties of an array are seen by nobody here.
      if (Object.keys(value).length !== value.length) return false
      return this.#put("[") && value.every((item) => this.write(item, depth + 1) && this.#put(",")) && this.#put("]")
    }
    const prototype: unknown = Object.getPrototypeOf(value)
    if ((prototype !== Object.prototype && prototype !== null) || Object.getOwnPropertySymbols(value).length > 0) {
      return false
    }
    const keys = Object.getOwnPropertyNames(value).sort()
    return (
      this.#put("{") &&
      keys.every((key) => {
        const property = Object.getOwnPropertyDescriptor(value, key)
        return (
          property?.enumerable === true &&
          "value" in property &&
          this.#put(`${JSON.stringify(key)}:`) &&
          this.write(property.value, depth + 1) &&
          this.#put(",")
        )
      }) &&
      this.#put("}")
    )
  }

  #put(text: string): boolean {
    this.#length += text.length
    this.parts.push(text)
    return this.#length <= longest
  }
}
