/** Refuses `expect(…).rejects` and `.resolves` that nothing waits for: bun:test ends before they are judged. */
import { readFileSync } from 'node:fs'

/** Where an `expect(` that starts a statement ends, by its brackets; strings are skipped. */
function endOfCall(source: string, from: number): number {
  let depth = 0
  for (let i = from; i < source.length; i++) {
    const char = source.charAt(i)
    if (char === "'" || char === '"' || char === '`') {
      for (i++; i < source.length && source.charAt(i) !== char; i++) if (source.charAt(i) === '\\') i++
      continue
    }
    if ('([{'.includes(char)) depth++
    if (')]}'.includes(char) && --depth === 0) return i + 1
  }
  return source.length
}

/** The lines on which an asynchronous expectation is neither awaited nor returned. */
export function findUnawaited(source: string): number[] {
  return [...source.matchAll(/(?:^|[;{}])[ \t]*expect(?=\()/gm)]
    .map((match) => match.index + match[0].length)
    .filter((at) => /^\s*\.(?:not\s*\.)?(?:rejects|resolves)\b/.test(source.slice(endOfCall(source, at))))
    .map((at) => source.slice(0, at).split('\n').length)
}

if (import.meta.main) {
  const files = Bun.spawnSync(['git', 'ls-files', 'test/*.ts']).stdout.toString().trim().split('\n')
  const found = files.flatMap((file) => findUnawaited(readFileSync(file, 'utf8')).map((line) => `${file}:${line}`))
  for (const place of found) console.log(`${place}: await this expectation`)
  console.log(`${files.length} test files, ${found.length} expectations that nothing waits for`)
  if (found.length > 0 || files.length < 2) process.exit(1)
}
