/**
 * The answer of the text model when none is scripted: one JSON object with the keys that the system message names in quotation
 * marks before a colon, comma or brace, filled from the transcript in the user message; null for what was not said.
 */
export function answerJson(messages: readonly { role: string; content: string }[]): string {
  const contentOf = (...roles: string[]) =>
    messages.flatMap(({ role, content }) => (roles.includes(role) ? [content] : [])).join('\n')
  const keys = keysIn(contentOf('system', 'developer'))
  const said = contentOf('user')
  const answers = answersTo(said, /^Language: Hebrew$/m.test(said))
  return JSON.stringify(Object.fromEntries(keys.map((key) => [key, answers[key] ?? null])))
}

function keysIn(instructions: string): string[] {
  const object = /\{[\s\S]*\}/.exec(instructions)?.[0] ?? ''
  return [...object.matchAll(/[{,]\s*"([a-z_]+)"/g)].flatMap(([, key]) => (key === undefined ? [] : [key]))
}

function answersTo(transcript: string, isHebrew: boolean): Record<string, string | null> {
  const lines = transcript.split('\n').flatMap((line) => /^Caller: (.+)$/.exec(line)?.[1]?.trim() ?? [])
  const quoted = lines.map((line) => `“${line}”`).join(', ')
  const name = lines.flatMap((line) => NAME.exec(line)?.[1] ?? [])[0] ?? null
  return {
    summary: isHebrew
      ? `הפונה אמר: ${quoted}. יש לחזור אל הפונה.`
      : `The caller said: ${quoted}. They expect a call back.`,
    name,
    inquiry: lines.findLast((line) => !NAME.test(line)) ?? null,
    sentiment: 'neutral',
    next_step: isHebrew ? 'לחזור אל הפונה.' : 'Call back.',
  }
}

const NAME = /(?:my name is|קוראים לי|שמי)\s+(\p{L}+(?: \p{Lu}\p{L}+)?)/iu
