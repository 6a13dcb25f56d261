import { describe, expect, test } from 'bun:test'
import { parse } from 'csv-parse/sync'
import { openTable } from '../../../src/domain/imports/table.ts'
import { decodeCsv, type Encoding } from '../../../src/lib/decode-csv.ts'
import { tokenize } from '../../../src/lib/tokenize-csv.ts'
import { randomNumbers, withSeed } from '../../support/seed.ts'

const DELIMITERS = [',', ';', '\t', '|']
const LINE_ENDS = ['\n', '\r\n', '\r', 'mixed']
const PIECES = [
  ...[
    '"',
    '""',
    `"'`,
    ',',
    ';',
    '\t',
    '|',
    '\n',
    '\r',
    '\r\n',
    ' ',
    '=1+1',
    "'",
    'sep=;',
    '\\',
    '#',
    '-',
    '0501112233',
    '1,234.50',
  ],
  ...['דנה', 'עו"ד כהן', 'בע"מ', 'צה"ל', 'שם, פרטי', 'a', 'TV 55"', 'O"Neil', 'name', '.', '', ''],
]
/** How cells are written: only where it is needed, always, and as people and poor programs do it. */
const WRITERS = ['minimal', 'always', 'careless'] as const

function writeCell(cell: string, delimiter: string, writer: (typeof WRITERS)[number]): string {
  const needed = cell.includes(delimiter) || /["\r\n]|^\s|\s$/.test(cell)
  const quoted = `"${cell.replaceAll('"', '""')}"`
  if (writer === 'always') return quoted
  if (writer === 'minimal') return needed ? quoted : cell
  // Quotes in the middle of a word are left as they are, within quotes and without.
  const plain = !cell.includes(delimiter) && !/[\r\n]|^[\s"]|\s$/.test(cell)
  if (plain) return cell
  return /^(?:[^"]|(?<=\p{L})"(?=\p{L}))*$/u.test(cell) ? `"${cell}"` : quoted
}

function writeCsv(
  table: string[][],
  delimiter: string,
  lineEnd: string,
  writer: (typeof WRITERS)[number],
  random: () => number,
) {
  const end = () => (lineEnd === 'mixed' ? (['\n', '\r\n', '\r'][Math.floor(random() * 3)] ?? '\n') : lineEnd)
  return table
    .map((cells) => {
      const line = cells.map((cell) => writeCell(cell, delimiter, writer)).join(delimiter)
      // A bare carriage return and an empty line would be one line end.
      const next = end()
      return `${line}${next}`
    })
    .join('')
}

function randomTable(random: () => number, pieces: string[]): string[][] {
  const pick = () => pieces[Math.floor(random() * pieces.length)] ?? ''
  const cell = () => Array.from({ length: Math.floor(random() * 4) }, pick).join('')
  const rows = Array.from({ length: 1 + Math.floor(random() * 8) }, () => ['דנה כהן', cell(), cell(), cell()])
  return [['שם', 'טלפון', 'הערות', 'x'], ...rows]
}

const BYTES: Record<string, (text: string) => Uint8Array> = {
  'utf-8': (text) => new TextEncoder().encode(text),
  'utf-8 with a mark': (text) => new TextEncoder().encode(`\ufeff${text}`),
  'utf-16le': (text) => new Uint8Array(Buffer.from(text, 'utf16le')),
  'utf-16le with a mark': (text) => new Uint8Array(Buffer.from(`\ufeff${text}`, 'utf16le')),
  'utf-16be': (text) => new Uint8Array(Buffer.from(text, 'utf16le').swap16()),
  'utf-16be with a mark': (text) => new Uint8Array(Buffer.from(`\ufeff${text}`, 'utf16le').swap16()),
  'windows-1255': (text) =>
    Uint8Array.from(text, (c) => (c >= 'א' && c <= 'ת' ? c.charCodeAt(0) - 0x5d0 + 0xe0 : c.charCodeAt(0))),
  cp862: (text) =>
    Uint8Array.from(text, (c) => (c >= 'א' && c <= 'ת' ? c.charCodeAt(0) - 0x5d0 + 0x80 : c.charCodeAt(0))),
}

test(
  'any table of hostile cells comes back as it was, whatever wrote it',
  withSeed((seed) => {
    const random = randomNumbers(seed)
    let tables = 0
    for (const bytesOf of Object.values(BYTES))
      for (const delimiter of DELIMITERS)
        for (const lineEnd of LINE_ENDS)
          for (const writer of WRITERS)
            for (let round = 0; round < 4; round += 1) {
              const written = randomTable(random, PIECES)
              const csv = writeCsv(written, delimiter, lineEnd, writer, random)
              const { text } = decodeCsv(bytesOf(csv), null)
              const table = openTable(text, { kind: 'contacts', mapping: null, heading: true })
              const read = [table.columns, ...[...table.rows()].map(({ record }) => record.cells)]
              expect({ csv, delimiter: table.delimiter, read }).toEqual({ csv, delimiter, read: written })
              tables += 1
            }
    expect(tables).toBe(8 * 4 * 4 * 3 * 4)
  }),
)

test(
  'what is well-formed is read as a library reads it, embedded line ends and all',
  withSeed((seed) => {
    const random = randomNumbers(seed)
    for (let round = 0; round < 500; round += 1) {
      const csv = writeCsv(randomTable(random, PIECES), ',', '\n', 'minimal', random)
      const expected: string[][] = parse(csv, { record_delimiter: ['\r\n', '\n', '\r'] })
      expect([...tokenize(csv, ',')].map(({ cells }) => cells)).toEqual(expected)
    }
  }),
)

const rowsOf = (csv: string) => {
  const table = openTable(csv, { kind: 'contacts', mapping: null, heading: true })
  return [...table.rows()].map(({ record }) => record.cells)
}

describe('quotes that are none', () => {
  test.each([
    [
      'unquoted',
      'name,phone\nחשמל ישראל בע"מ,1\nד"ר לוי,2\nרגיל,3',
      [
        ['חשמל ישראל בע"מ', '1'],
        ['ד"ר לוי', '2'],
        ['רגיל', '3'],
      ],
    ],
    [
      'within quotes',
      'name,phone\n"עו"ד כהן, תל אביב",1\n"רגיל",2',
      [
        ['עו"ד כהן, תל אביב', '1'],
        ['רגיל', '2'],
      ],
    ],
    [
      'at the beginning',
      'name,phone\n"כהן,1\nלוי,2',
      [
        ['"כהן', '1'],
        ['לוי', '2'],
      ],
    ],
    [
      'at the beginning, and a proper one below',
      'name,phone\n"כהן,1\nלוי,2\n"דנה",3',
      [
        ['"כהן', '1'],
        ['לוי', '2'],
        ['דנה', '3'],
      ],
    ],
    [
      'inches',
      'name,phone\nTV 55",1\n"TV 55""",2',
      [
        ['TV 55"', '1'],
        ['TV 55"', '2'],
      ],
    ],
    ['spaces around', 'name,phone\n "a, b" , 1 \n', [['a, b', ' 1 ']]],
    [
      'line breaks in a cell',
      'name,phone\r\n"a\r\nb\nc",1\nd,2',
      [
        ['a\r\nb\nc', '1'],
        ['d', '2'],
      ],
    ],
  ] as const)('%s', (_, csv, expected) => {
    expect(rowsOf(csv)).toEqual(expected.map((cells) => [...cells]))
  })
})

test('a file of nothing but quotes is read in time that grows with its length alone', () => {
  for (const piece of ['"x,', '""', '"a"",', '"\n', `"${'y'.repeat(50)},`]) {
    // CPU time, which others on the machine do not take; of what is four times as long, and sixteen times as dear if it were quadratic.
    const spent = (length: number) => {
      const csv = `name,phone\n${piece.repeat(length / piece.length)}`
      const before = process.threadCpuUsage()
      for (const _ of tokenize(csv, ',', 2));
      const { user, system } = process.threadCpuUsage()
      return user + system - before.user - before.system
    }
    spent(100_000)
    expect(spent(1_600_000) / spent(400_000)).toBeLessThan(10)
  }
}, 60_000)

describe('an encoding', () => {
  const bytes = (text: string, encoding: string) => (BYTES[encoding] ?? BYTES['utf-8'])?.(text) ?? new Uint8Array()
  const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0))
  const encodingOf = (data: Uint8Array): Encoding => decodeCsv(data, null).encoding

  test('is found out', () => {
    expect(encodingOf(bytes('name,phone\r\nדנה כהן,0501112233\r\n', 'windows-1255'))).toBe('windows-1255')
    expect(encodingOf(bytes('name,phone\r\nדנה כהן,0501112233\r\n', 'cp862'))).toBe('cp862')
    const french =
      'name,note\r\nRené Müller,préféré à la crème brûlée, très agréable\r\nZoë François,où est déjà le garçon ?\r\n'
    expect(encodingOf(latin1(french))).toBe('windows-1252')
    expect(decodeCsv(latin1(french), null).text).toBe(french)
    const german = 'Name,Notiz\r\nJörg Schröder,möchte für Äpfel und Öl natürlich später zurückgerufen werden\r\n'
    expect(decodeCsv(latin1(german), null).text).toBe(german)
    const russian = 'Имя,Заметка\r\nАнна Петрова,просила перезвонить завтра утром после десяти часов\r\n'
    const cp1251 = Uint8Array.from(russian, (c) =>
      c >= 'А' && c <= 'я' ? c.charCodeAt(0) - 0x410 + 0xc0 : c.charCodeAt(0),
    )
    expect(decodeCsv(cp1251, null)).toEqual({ text: russian, encoding: 'windows-1251' })
    // Signs of windows-1255 beside letters: the shekel, points, a dash.
    expect(decodeCsv(Uint8Array.from([0xe3, 0xf0, 0xe4, 0x20, 0xa4, 0x35, 0x96, 0xe3, 0xc8]), null).text).toBe(
      'דנה ₪5–דָ',
    )
    // Digits of a Mac, written from right to left: no windows-1255 has 0xD9 or these.
    expect(decodeCsv(Uint8Array.from([0xe3, 0xf0, 0xe4, 0xac, 0xb0, 0xb5]), 'mac-hebrew').text).toBe('דנה,05')
  })

  test('that is not certain is asked for, and one that does not fit is refused: nothing is ever replaced', () => {
    const refused = (data: Uint8Array, wanted: Encoding | null = null) => {
      try {
        return decodeCsv(data, wanted).text
      } catch (error) {
        return error instanceof Error && 'code' in error ? error.code : error
      }
    }
    expect(refused(Uint8Array.from([0x61, 0xff, 0x62, 0x0a]))).toBe('unknown_encoding')
    expect(refused(Uint8Array.from([0xe3, 0xf0, 0xe4, 0xff]), 'utf-8')).toBe('wrong_encoding')
    expect(refused(Uint8Array.from([0xef, 0xbb, 0xbf, 0x61, 0xff]))).toBe('wrong_encoding')
    expect(refused(Uint8Array.from([0xff, 0xfe, 0x61]))).toBe('wrong_encoding')
    expect(refused(bytes('םולש ןהכ םירמ ,םש', 'windows-1255'))).toBe('visual_hebrew')
    for (const encoding of ['windows-1255', 'cp862', 'utf-8', 'utf-16le'])
      expect(String(refused(bytes('שם,טלפון\nכהן,1\n', encoding)))).not.toContain('\ufffd')
  })
})
