/** Refuses words that are not the field's: GLOSSARY.md has the ones to use instead. */
import { readFileSync } from 'node:fs'

/** Words of identifiers and file names, in lower case, as they stand between capitals, digits and dashes. */
const IN_NAMES: Record<string, string> = {
  skin: 'edge or adapter',
  door: 'endpoint',
  nobody: 'unknown caller, not connected',
  somebody: 'another process, a member',
  told: 'notified',
  news: 'event or update',
  tills: 'tenders',
  till: 'tender',
  wish: 'inquiry',
  wishes: 'inquiries',
  spare: 'standby or warm',
  figures: 'stats',
  gist: 'summary',
}
/** Pairs of words in identifiers and file names. */
const NAMES = [
  { pattern: /^sids(?:\.ts)?$/, use: 'callSids, twilioSids' },
  { pattern: /wayOut|way-out/i, use: 'callEnding' },
  { pattern: /(?:^|[a-z])(?:Means)$|^[a-z]+-means$/, use: '…Deps' },
  { pattern: /lineEar|line-ear/i, use: 'EnergyDetector' },
  { pattern: /callRecord(?:s|er)?$|recordKeeper|call-record(?!ing)/i, use: 'callTrace' },
  {
    pattern: /toolUse\b|turnPolicy|callVoice|earlyEngine|keptAudio|lineTape|gatedLine|callSink/i,
    use: 'the names of GLOSSARY.md',
  },
  {
    pattern: /(?:receive|request)(?:From|For)?Known|backInQueue|startSending/i,
    use: '…FastPath, requeueMessage, enqueueSend',
  },
]
/** Words of comments, messages and documents. */
const IN_TEXTS: Record<string, string> = {
  skin: 'edge or adapter',
  nobody: 'no one with a name: unknown caller, no process, no member',
  somebody: 'a person, a member, another process',
  told: 'notified, sent, informed',
  news: 'event or update',
  wish: 'inquiry',
  spare: 'standby or warm',
  till: 'until, or tender',
  tills: 'tenders',
}

const NAME = /[A-Za-z_$][\w$]*/g
const TOKENS = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|[A-Za-z_$][\w$]*/g

type Finding = { file: string; line: number; word: string; use: string }

/** The words of an identifier or file name: `callTraceStore`, `call-trace-store` → call, trace, store. */
export function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z]+/)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase())
}

function inName(name: string): { word: string; use: string }[] {
  const words = wordsOf(name)
    .filter((word) => Object.hasOwn(IN_NAMES, word))
    .map((word) => ({ word: name, use: IN_NAMES[word] ?? '' }))
  return [...words, ...NAMES.filter(({ pattern }) => pattern.test(name)).map(({ use }) => ({ word: name, use }))]
}

function inText(text: string): { word: string; use: string; at: number }[] {
  return [...text.matchAll(/[A-Za-z]+/g)]
    .filter(([word]) => Object.hasOwn(IN_TEXTS, word.toLowerCase()))
    .map((match) => ({ word: match[0], use: IN_TEXTS[match[0].toLowerCase()] ?? '', at: match.index }))
}

/** What a file says that it should not. */
export function findWords(file: string, source: string): Finding[] {
  const lineAt = (offset: number) => source.slice(0, offset).split('\n').length
  const findings: Finding[] = inName(file).map((found) => ({ file, line: 0, ...found }))
  if (file.endsWith('.md')) {
    for (const { at, ...found } of inText(source)) findings.push({ file, line: lineAt(at), ...found })
    return findings
  }
  for (const match of source.matchAll(TOKENS)) {
    const [token] = match
    const isText = /^['"`/]/.test(token)
    const found = isText ? inText(token) : (token.match(NAME) ?? []).flatMap(inName).map((each) => ({ ...each, at: 0 }))
    for (const { at, ...each } of found) findings.push({ file, line: lineAt(match.index + at), ...each })
  }
  return findings
}

/** Where a listed word is right: it is someone else's text, or the test of this list. */
const RIGHT: { file: RegExp; words?: RegExp; why: string }[] = [
  { file: /^\.ci\/words\.ts$|^test\/ci\/|^GLOSSARY\.md$|^CHANGELOG\.md$/, why: 'the list itself' },
  { file: /^db\/migrations\//, why: 'migrations are history' },
  { file: /^test\/product\/local-users/, words: /^nobody$/, why: 'a user of the machine' },
  { file: /^src\/domain\/knowledge\/meanings\.ts$/, words: /^(skin|spare)$/, why: 'words of customers' },
  { file: /^patches\//, why: 'another project’s source' },
  { file: /^src\/config(-safety)?\.ts$/, words: /^OPENAI_WARM_SPARE$/, why: 'a setting keeps its name' },
  {
    file: /^src\/domain\/leads\/earlier-names\.ts$|^test\/domain\/leads\/|^test\/product\/after-the-call\.test\.ts$|^src\/jobs\/registry\.ts$|^src\/domain\/search\/search\.ts$|^src\/domain\/imports\/fields\.ts$|^db\/schema\/|^test\/support\/big-business\.ts$|^test\/cli\/hostile\.test\.ts$/,
    words: /^wish$/,
    why: 'the earlier name of a lead’s inquiry, and its column',
  },
]

if (import.meta.main) {
  const listed = Bun.spawnSync(['git', 'ls-files', ...process.argv.slice(2)]).stdout.toString()
  const files = listed
    .split('\n')
    .filter((file) => /\.(?:ts|tsx|md|sh)$/.test(file))
    .filter((file) => !RIGHT.some((right) => right.file.test(file) && !right.words))
  const findings = files
    .flatMap((file) => findWords(file, readFileSync(file, 'utf8')))
    .filter((found) => !RIGHT.some(({ file, words }) => file.test(found.file) && words?.test(found.word)))
  for (const { file, line, word, use } of findings) console.log(`${file}:${line}: ${word} → ${use}`)
  console.log(findings.length === 0 ? `words: ${files.length} files are well` : `words: ${findings.length} to change`)
  if (findings.length > 0) process.exit(1)
}
