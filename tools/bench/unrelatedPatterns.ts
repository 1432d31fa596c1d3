/** Rules for the suites about policy. */

/** Patterns of every kind, none of which matches a tool that is called. */
export const unrelatedPatterns = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => {
    switch (index % 5) {
      case 0:
        return `tools.sums.org.account${index * 10}.remove`
      case 1:
        return `tools.sums.*.*.delete${index}*`
      case 2:
        return `tools.other${index}.*`
      case 3:
        return `tools.*.user.mine${index}.*`
      default:
        return `tools.*.*.*.add${index}`
    }
  })
