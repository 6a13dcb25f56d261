import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import { cleanSource } from '../../../src/domain/knowledge/clean-source.ts'
import { readFile } from '../../../src/domain/knowledge/files/read-file.ts'
import { FILE_LIMITS, type ReadLimits, readFileInChild } from '../../../src/domain/knowledge/files/read-in-child.ts'
import { Unreadable, type UnreadableReason } from '../../../src/domain/knowledge/unreadable.ts'
import { openBrowser } from '../../support/browser.ts'
import { docxOf, pageOf, paragraph, pdfOf, sheetRow, wordTable, xlsxOf } from '../../support/documents.ts'

const text = (value: string) => new TextEncoder().encode(value)
const wide = (value: string, big = false) => {
  const bytes = new Uint8Array(Buffer.from(`\ufeff${value}`, 'utf16le'))
  return big ? new Uint8Array(Buffer.from(bytes).swap16()) : bytes
}
/** Windows-1255: alef is 0xE0. */
const windows1255 = (value: string) =>
  Uint8Array.from(value, (letter) => {
    const code = letter.charCodeAt(0)
    return code >= 0x5d0 ? code - 0x5d0 + 0xe0 : code
  })

const PRICES = 'שירות,מחיר\nניקוי מזגן,350\n"פתיחת סתימה, עד 3 מטר",450\n'
const PRICES_READ = 'שירות: ניקוי מזגן; מחיר: 350\nשירות: פתיחת סתימה, עד 3 מטר; מחיר: 450'

describe('a file', () => {
  const files: [string, string, Uint8Array, string][] = [
    ['plain text', 'a.txt', text('שעות: 8-16\nOpen'), 'שעות: 8-16\nOpen'],
    ['text with a mark', 'a.txt', text('\ufeffשלום'), 'שלום'],
    ['UTF-16, little end first', 'a.txt', wide('שלום לכולם'), 'שלום לכולם'],
    ['UTF-16, big end first', 'a.txt', wide('שלום לכולם', true), 'שלום לכולם'],
    ['windows-1255', 'a.txt', windows1255('שלום לכולם, אנחנו פתוחים'), 'שלום לכולם, אנחנו פתוחים'],
    ['Markdown', 'a.md', text('# מחירון\n\n- ניקוי: 350'), '# מחירון\n\n- ניקוי: 350'],
    ['CSV', 'a.csv', text(PRICES), PRICES_READ],
    ['CSV of Excel in Israel', 'a.csv', windows1255(PRICES), PRICES_READ],
    ['CSV with tabs in UTF-16', 'a.csv', wide('שירות\tמחיר\nניקוי\t350\n'), 'שירות: ניקוי; מחיר: 350'],
    ['CSV without headings', 'a.csv', text('1,2\n3,4\n'), '1 | 2\n3 | 4'],
    [
      'Word',
      'a.bin',
      docxOf(
        paragraph('מחירון', 'Heading1') +
          paragraph('אנחנו פתוחים בימים א׳–ה׳ 8:00-18:00.') +
          wordTable([
            ['שירות', 'מחיר'],
            ['ניקוי', '350 ₪'],
          ]),
      ),
      '# מחירון\n\nאנחנו פתוחים בימים א׳–ה׳ 8:00-18:00.\n\nשירות: ניקוי; מחיר: 350 ₪',
    ],
    [
      'Excel',
      'a.bin',
      xlsxOf('מחירון', sheetRow(1, ['שירות', 'מחיר', 'מתאריך']) + sheetRow(2, ['ניקוי', 0.1 + 0.2, { day: 46_357 }])),
      '# מחירון\n\nשירות: ניקוי; מחיר: 0.3; מתאריך: 2026-12-01',
    ],
    [
      'PDF',
      'a.bin',
      pageOf('BT /F1 12 Tf 50 700 Td (Open 8:00-16:00) Tj 0 -40 Td (Call 03-1234567) Tj ET'),
      'Open 8:00-16:00\n\nCall 03-1234567',
    ],
  ]
  test.each(files)('of %s is read', async (_, name, bytes, expected) => {
    expect((await readFile(bytes, name)).text.trim()).toBe(expected)
  })
})

/** A local header and a directory that state other sizes than the data has. */
function lyingZip(stated: number): Uint8Array {
  const zip = docxOf(paragraph('x'), { 'word/document.xml': new Uint8Array(50e6) })
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength)
  for (let at = 0; at + 4 <= zip.length; at += 1) {
    const mark = view.getUint32(at, true)
    const size = mark === 0x04034b50 ? at + 22 : mark === 0x02014b50 ? at + 24 : 0
    if (size > 0 && view.getUint32(size, true) === 50e6) view.setUint32(size, stated, true)
  }
  return zip
}

const LAUGHS = `<!DOCTYPE a [<!ENTITY a0 "ha">${Array.from({ length: 30 }, (_, index) => `<!ENTITY a${index + 1} "&a${index};&a${index};">`).join('')}]>`
const nested = (depth: number) => `${'<w:p>'.repeat(depth)}${'</w:p>'.repeat(depth)}`
const bytesOf = (...values: number[]) => Uint8Array.from(values)
const OLE = bytesOf(0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1)
const with16 = (mark: string) => new Uint8Array(Buffer.concat([OLE, Buffer.alloc(600), Buffer.from(mark, 'utf16le')]))
const locked = `/Encrypt 6 0 R /ID [<${'00'.repeat(16)}> <${'00'.repeat(16)}>] `
const LOCK = `<< /Filter /Standard /V 1 /R 2 /O <${'11'.repeat(32)}> /U <${'22'.repeat(32)}> /P -4 >>`
const selfish = pdfOf(['<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 1000000000 >>'])
const half = (bytes: Uint8Array) => bytes.slice(0, bytes.length / 2)

describe('a hostile or broken file', () => {
  const files: Record<string, [Uint8Array, UnreadableReason[]]> = {
    'that is empty': [bytesOf(), ['empty']],
    'of blanks': [text(' \n\t\n'), ['no_text']],
    'that is a picture': [bytesOf(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0, 1), ['unknown_format']],
    'of an encoding that is not certain': [
      bytesOf(...text('caf'), 0xfd, 0x20, 0x9f, 0xc3),
      ['unknown_encoding', 'no_text'],
    ],
    'of old Word': [with16('WordDocument'), ['old_office']],
    'of Word with a password': [with16('EncryptedPackage'), ['encrypted']],
    'that is an archive of something else': [zipSync({ 'a.xml': text('<a/>') }), ['unknown_format']],
    'that is half an archive': [half(docxOf(paragraph('x'))), ['broken']],
    'of thousands of parts': [
      zipSync(Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`${index}.xml`, text('<a/>')]))),
      ['too_large'],
    ],
    'with the same in UTF-16': [docxOf('', { 'word/document.xml': wide(`${LAUGHS}<a>&a30;</a>`) }), ['broken']],
    'with an entity that is a file of the machine': [
      docxOf('', { 'word/document.xml': text('<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><a>&a;</a>') }),
      ['broken'],
    ],
    'of Word that is not XML': [docxOf('<w:p>', {}), ['broken', 'no_text']],
    'of Excel without a sheet': [xlsxOf('A', '', { 'xl/worksheets/sheet1.xml': text('') }), ['broken', 'no_text']],
    'that says it is PDF': [text('%PDF-1.7\nnothing'), ['broken']],
    'that is half a PDF': [half(pageOf('BT (x) Tj ET')), ['broken', 'no_text']],
    'of PDF with a password': [pageOf('BT (x) Tj ET', locked, [LOCK]), ['encrypted']],
    'of PDF without text': [pageOf('0 0 100 100 re f'), ['no_text']],
  }
  /** What would take all time or memory of the process that reads it. */
  const dangerous: Record<string, [Uint8Array, UnreadableReason[]]> = {
    'that is a program': [bytesOf(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 3), ['unknown_format']],
    'that is a bomb': [docxOf('', { 'word/document.xml': new Uint8Array(70e6) }), ['too_large']],
    'that is a bomb and lies': [lyingZip(1_000), ['broken', 'no_text', 'too_large']],
    'with a billion laughs': [docxOf('', { 'word/document.xml': text(`${LAUGHS}<a>&a30;</a>`) }), ['broken']],
    'of Word nested a hundred thousand deep': [docxOf(nested(100_000)), ['broken', 'no_text', 'too_slow', 'too_large']],
    'of Excel with a cell at the end of the sheet': [
      xlsxOf('A', '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
      ['too_large'],
    ],
    'of PDF whose pages contain themselves': [selfish, ['broken', 'no_text', 'too_slow']],
  }
  const reasonOf = (reading: Promise<{ text: string }>) =>
    reading.then(
      ({ text: read }) => `read: ${read.slice(0, 100)}`,
      (error: unknown) => (error instanceof Unreadable ? error.reason : String(error)),
    )
  test.each(Object.entries(files))('%s says so', async (_, [bytes, reasons]) => {
    expect(reasons as string[]).toContain(await reasonOf(readFile(bytes, 'a.txt')))
  })
  test.each(Object.entries(dangerous))(
    '%s says so, read in a process of its own',
    async (_, [bytes, reasons]) => {
      expect(reasons as string[]).toContain(await reasonOf(readFileInChild(bytes, 'a.txt')))
    },
    120_000,
  )

  test('is ended at its limits of time, work and memory, and the next one is read', async () => {
    const slow = docxOf(nested(100_000))
    const reasonAt = (limits: Partial<ReadLimits>, bytes = slow) =>
      reasonOf(readFileInChild(bytes, 'a.txt', { ...FILE_LIMITS, ...limits }))
    expect(
      await Promise.all([
        reasonAt({ timeoutMs: 1 }),
        reasonAt({ cpuMs: 100 }),
        reasonAt({ memoryBytes: 1_000_000 }),
        reasonAt({}, text('שלום')),
      ]),
    ).toEqual(['too_slow', 'too_slow', 'too_large', 'read: שלום'])
  }, 120_000)

  test('is cleaned of what is not seen', async () => {
    const { text: read } = await readFileInChild(
      text('a\u202eb\u200bc\u{e0041}d \u0007e\r\n\r\n\r\n\r\nf   g'),
      'a.txt',
    )
    expect(read).toBe('abcd e\n\nf g')
  }, 120_000)
})

const PAGE = `<!doctype html><html dir="rtl" lang="he"><meta charset="utf-8"><body style="font-family: sans-serif">
<h1>מחירון שירותי אינסטלציה</h1>
<p>שעות הפעילות: א׳–ה׳ 8:00-18:00 (שישי עד 13:00).</p>
<p>טלפון: 03-1234567, דוא"ל: info@example.co.il</p>
<table style="width: 100%"><tr><th>שירות</th><th>מחיר</th></tr><tr><td>ביקור טכנאי</td><td>250 ₪ כולל מע״מ</td></tr></table>
<p>שָׁלוֹם לְכֻלָּם</p>
<p>אנחנו עובדים עם Grohe וגם Hans Grohe AG (גרמניה) מאז 1998.</p>
<p>הנחה של 15% לגיל הזהב, וב-2.5.2026 אנחנו סגורים; חייגו 050 123 4567.</p>
<p dir="ltr">Opening hours: Sunday to Thursday, 8:00-18:00 (ask for דנה לוי).</p>
</body></html>`

const READ = [
  '# מחירון שירותי אינסטלציה',
  'שעות הפעילות: א׳–ה׳ 8:00-18:00 (שישי עד 13:00).',
  'טלפון: 03-1234567, דוא"ל: info@example.co.il',
  'שירות | מחיר',
  'ביקור טכנאי | 250 ₪ כולל מע״מ',
  'שָׁלוֹם לְכֻלָּם'.normalize('NFC'),
  'אנחנו עובדים עם Grohe וגם Hans Grohe AG (גרמניה) מאז 1998.',
  'הנחה של 15% לגיל הזהב, וב-2.5.2026 אנחנו סגורים; חייגו 050 123 4567.',
  'Opening hours: Sunday to Thursday, 8:00-18:00 (ask for דנה לוי).',
]
const linesOf = async (bytes: Uint8Array) =>
  cleanSource((await readFile(bytes, 'a.pdf')).text)
    .split('\n')
    .filter(Boolean)

test('a PDF that Chromium printed from right to left comes out in reading order', async () => {
  const browser = await openBrowser()
  try {
    const page = await browser.newPage()
    await page.setContent(PAGE)
    expect(await linesOf(new Uint8Array(await page.pdf()))).toEqual(READ)
  } finally {
    await browser.close()
  }
}, 120_000)

const COLUMNS: { dir: 'rtl' | 'ltr'; title: string; paragraphs: string[]; table: [string, string][]; end: string }[] = [
  {
    dir: 'rtl',
    title: 'מדריך קצר לדיירים של המגדל החדש ברחוב הרצל שבעיר, מהדורה שנייה',
    paragraphs: [
      'הכניסה לחניון היא מרחוב ביאליק בלבד, ושער הרכב נפתח בחיוג מהטלפון שרשום אצל ועד הבית. מי שהחליף מספר מתבקש לעדכן את המזכירות עוד לפני סוף השבוע.',
      'את האשפה הגדולה מוציאים ביום שלישי בערב אל הרחבה שמאחורי הבניין, ולא לפני השעה שמונה. העירייה אוספת אותה ביום רביעי בבוקר, ומה שנשאר אחרי כן מחכה עוד שבוע.',
      'חדר הכושר פתוח בכל יום מחמש בבוקר ועד חצות. ילדים עד גיל שש עשרה נכנסים רק יחד עם מבוגר, והדלת ננעלת אחרי כל כניסה מטעמי ביטחון.',
      'המים החמים בקיץ מגיעים מהקולטים שעל הגג, ובחורף מהדוד המרכזי שבמרתף. תקלה שנמשכת יותר משעה מדווחים לאב הבית, בטלפון או בהודעה.',
    ],
    table: [
      ['חניה לאורח', '20 ₪'],
      ['מפתח נוסף', '35 ₪'],
      ['שלט לשער', '90 ₪'],
      ['מחסן', '150 ₪'],
      ['חדר אירועים', '400 ₪'],
      ['ניקיון', '80 ₪'],
    ],
    end: 'המחירים נכונים לשנה הזאת, והוועד רשאי לשנות אותם בהודעה של שלושים יום מראש לכל הדיירים.',
  },
  {
    dir: 'ltr',
    title: 'A short guide for those who live in the new tower on Herzl Street',
    paragraphs: [
      'The car park is entered from Bialik Street alone, and its gate opens when you ring it from the telephone that the office knows. Whoever has a new number tells the office before the end of the week.',
      'Bulky waste is put out behind the building on Tuesday evening, not before eight. The town collects it on Wednesday morning, and whatever is left after that waits for another week.',
      'The gym is open every day from five in the morning until midnight. Children up to sixteen come with an adult only, and the door locks behind everyone who enters.',
      'In summer the hot water comes from the panels on the roof, and in winter from the boiler in the cellar. A fault that lasts more than an hour is reported to the caretaker.',
    ],
    table: [
      ['Guest parking', '20 ₪'],
      ['Another key', '35 ₪'],
      ['Gate remote', '90 ₪'],
      ['Storage room', '150 ₪'],
      ['Event room', '400 ₪'],
      ['Cleaning', '80 ₪'],
    ],
    end: 'These prices hold for this year, and the committee may change them with a notice of thirty days to everyone.',
  },
]

test('text in columns is read one column after the other; the rows of a table stay together', async () => {
  const browser = await openBrowser()
  try {
    const page = await browser.newPage()
    for (const { dir, title, paragraphs, table, end } of COLUMNS)
      for (const [columns, gap] of [
        [2, '2em'],
        [2, '1.2em'],
        [3, '2em'],
      ] as const) {
        const text = paragraphs.map((each) => `<p>${each}</p>`).join('')
        const rows = table.map((cells) => `<tr>${cells.map((each) => `<td>${each}</td>`).join('')}</tr>`).join('')
        await page.setContent(`<!doctype html><html dir="${dir}"><meta charset="utf-8"><body style="font: 11pt sans-serif">
          <h1>${title}</h1><div style="column-count: ${columns}; column-gap: ${gap}">${text}</div>
          <table style="width: 100%">${rows}</table><p>${end}</p></body></html>`)
        const lines = await linesOf(new Uint8Array(await page.pdf()))
        const flat = lines.join(' ').replaceAll('# ', '')
        const rowsRead = table.map((cells) => cells.join(' | ')).join(' ')
        expect([dir, columns, gap, flat]).toEqual([dir, columns, gap, [title, ...paragraphs, rowsRead, end].join(' ')])
      }
  } finally {
    await browser.close()
  }
}, 120_000)

test('questions and long answers side by side stay together, row by row', async () => {
  const browser = await openBrowser()
  try {
    const page = await browser.newPage()
    const [, second = '', third = ''] = COLUMNS[0]?.paragraphs ?? []
    for (const [spacing, align, size] of [
      [12, 'top', 11],
      [2, 'top', 10],
      [6, 'middle', 11],
    ] as const) {
      const answer = (n: number) => `${n}. ${(n % 2 ? second : third).slice(0, 150)}`
      const rows = [1, 2, 3, 4, 5, 6].map(
        (n) => `<tr><td style="width: 35%">שאלה מספר ${n} של הדיירים בבניין</td><td>${answer(n)}</td></tr>`,
      )
      await page.setContent(`<!doctype html><html dir="rtl"><meta charset="utf-8"><style>body { font: ${size}pt sans-serif }
        table { width: 100%; border-spacing: ${spacing}px } td { vertical-align: ${align} }</style><table>${rows.join('')}</table>`)
      const text = (await linesOf(new Uint8Array(await page.pdf()))).join(' ')
      const order = [...text.matchAll(/שאלה מספר (\d)|(\d)\. /g)].map(([, asked, answered]) =>
        Number(asked ?? answered),
      )
      expect([spacing, order]).toEqual([spacing, order.toSorted((a, b) => a - b)])
    }
  } finally {
    await browser.close()
  }
}, 120_000)

test('a PDF that LibreOffice 7.4 wrote of the same page does too', async () => {
  const file = Bun.file(join(import.meta.dir, 'fixtures/libreoffice.pdf'))
  expect(await linesOf(await file.bytes())).toEqual(READ)
}, 30_000)
