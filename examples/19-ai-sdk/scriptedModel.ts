/** A model that needs no network: it says what it is told, one turn after another, as a real one would through the same interface. */
import { MockLanguageModelV4 } from "ai/test"

/** A call of a tool, or the answer. */
export type Turn = { readonly tool: string; readonly input: object } | { readonly text: string }

/** A model that follows a script; a turn may look at all that the model was shown. */
export const scriptedModel = (turns: ReadonlyArray<(shown: string) => Turn>): MockLanguageModelV4 => {
  const model: MockLanguageModelV4 = new MockLanguageModelV4({
    doGenerate: async ({ prompt }) => {
      const turn = turns[model.doGenerateCalls.length - 1]?.(JSON.stringify(prompt)) ?? { text: "I am done." }
      return {
        content: [
          "text" in turn
            ? { type: "text", text: turn.text }
            : {
                type: "tool-call",
                toolCallId: `call-${model.doGenerateCalls.length}`,
                toolName: turn.tool,
                input: JSON.stringify(turn.input),
              },
        ],
        finishReason: { unified: "text" in turn ? "stop" : "tool-calls", raw: undefined },
        usage: {
          inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
          outputTokens: { total: 0, text: 0, reasoning: 0 },
        },
        warnings: [],
      }
    },
  })
  return model
}
