/** Controls, line separators, default-ignorable characters, annotations, noncharacters and lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{DI}\p{NChar}\ufff9-\ufffb]/gu
/** A joiner is visible after these: emoji, and letters of scripts that join. */
const JOINS =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: each is meant alone
  /[\p{Extended_Pictographic}\p{Emoji}\ufe0f\p{sc=Arab}\p{sc=Deva}\p{sc=Beng}\p{sc=Taml}\p{sc=Telu}\p{sc=Knda}\p{sc=Mlym}\p{sc=Sinh}]$/u
const JOINERS = new Set(['\u200c', '\u200d', '\ufe0e', '\ufe0f'])
/** More combining marks on one letter would cover the lines above and below. */
const STACKED = /(\p{M}{8})\p{M}+/gu

export function terminalText(text: string): string {
  return escapeUnprintable(text.replaceAll('\r\n', '\n'), (found) =>
    found === '\n' || found === '\t' ? found : escapeCharacter(found),
  )
}

export function terminalLine(text: string): string {
  return escapeUnprintable(text, escapeCharacter)
}

/** JSON that is safe on a terminal: unprintable characters as `\uXXXX`, the same data for a program. */
export function terminalJson(data: unknown): string {
  return (JSON.stringify(data) ?? 'null').replace(UNPRINTABLE, (found, at: number, whole: string) =>
    isJoined(found, at, whole)
      ? found
      : Array.from({ length: found.length }, (_, index) => `\\u${hex(found.charCodeAt(index), 4)}`).join(''),
  )
}

function escapeUnprintable(text: string, write: (found: string) => string): string {
  return text
    .replace(UNPRINTABLE, (found, at: number, whole: string) => (isJoined(found, at, whole) ? found : write(found)))
    .replace(STACKED, '$1…')
}

function isJoined(found: string, at: number, whole: string): boolean {
  return JOINERS.has(found) && JOINS.test(whole.slice(Math.max(0, at - 2), at))
}

const NAMED: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function escapeCharacter(found: string): string {
  const code = found.codePointAt(0) ?? 0
  return NAMED[found] ?? (code < 0x100 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 1)}}`)
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, '0')
}
