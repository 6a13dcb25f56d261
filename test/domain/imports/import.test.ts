import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { parse } from 'csv-parse/sync'
import { sql } from 'drizzle-orm'
import { importRejects } from '../../../db/schema/index.ts'
import { within } from '../../../src/domain/context.ts'
import { getImport, pruneRejects, runImport } from '../../../src/domain/imports/index.ts'
import { eraseContact } from '../../../src/domain/privacy/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import type { Inputs } from '../../../src/trpc/client.ts'
import { createTestApi, type TestApi } from '../../support/api.ts'
import { HOSTILE_STRINGS } from '../../support/hostile-strings.ts'

type File = Omit<Inputs['imports']['create'], 'kind'> & { kind?: 'contacts' | 'leads' }

let api: TestApi

beforeAll(async () => {
  api = await createTestApi()
})

afterAll(() => api.close())

const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64')
const sumOf = (counts: Record<'created' | 'updated' | 'existing' | 'rejected' | 'blank', number>) =>
  counts.created + counts.updated + counts.existing + counts.rejected + counts.blank

/** A business with nothing in it. What the preview says must be what the run does, and all rows must be accounted for. */
async function ownBusiness() {
  const businessId = await api.addBusiness('Fresh')
  const business = within(api.ctx, businessId)
  const owner = api.as({}, { businessId })
  const take = async ({ kind = 'contacts', ...file }: File) => {
    const preview = await owner.imports.preview({ kind, ...file, limit: 500 })
    const { id } = await owner.imports.create({ kind, ...file })
    await runImport(business, id)
    const done = await getImport(business, id)
    const { created, updated, existing, rejected, blank } = done
    const counts = { created, updated, existing, rejected, blank }
    expect(preview).toMatchObject(counts)
    expect(done).toMatchObject({ state: 'done', total: preview.total, processed: preview.total })
    expect(sumOf(counts)).toBe(preview.total)
    expect(preview.errors).toEqual(done.errors)
    return { id, preview, ...counts, errors: done.errors }
  }
  const people = async () =>
    (await owner.contacts.list({ limit: 200 })).items
      .map(({ name, phone, email, tags, custom }) => ({ name, phone, email, tags, custom }))
      .reverse()
  const rejected = async (id: string) => (await owner.imports.rejected({ id })).csv
  return { businessId, business, owner, take, people, rejected }
}

describe('files as people have them', () => {
  test('windows-1255, line ends of two kinds, a heading twice, gershayim', async () => {
    const { take, people } = await ownBusiness()
    const hebrew = Uint8Array.from('name,phone\r\nדנה כהן,0501112201\r\nיוסי לוי,0501112202\r\n', (c) =>
      c >= 'א' && c <= 'ת' ? c.charCodeAt(0) - 0x5d0 + 0xe0 : c.charCodeAt(0),
    )
    expect(await take({ file: base64(hebrew) })).toMatchObject({ created: 2, preview: { encoding: 'windows-1255' } })
    expect(await take({ csv: 'name,phone\r\nDana,0501111125\nBen,0501111126\rGil,0501111127\r\n' })).toMatchObject({
      created: 3,
    })
    const twice = await take({ csv: 'שם,טלפון,טלפון\r\nדנה כפול,0501111106,\r\nרות,,0501111107\r\n' })
    expect(twice.created).toBe(2)
    expect(twice.preview.notices.join()).toContain('the first filled one counts')
    expect(await take({ csv: 'שם,טלפון\r\nחשמל ישראל בע"מ,0501111117\r\nד"ר לוי,0501111118\r\n' })).toMatchObject({
      created: 2,
    })
    const formulas = 'name,phone\n"=""Text""","=""0501111128"""\n'
    expect(await take({ csv: formulas })).toMatchObject({ created: 1 })
    const names = (await people()).map(({ name, phone }) => `${name} ${phone}`)
    expect(names).toContain('דנה כהן +972501112201')
    expect(names).toContain('Ben +972501111126')
    expect(names).toContain('רות +972501111107')
    expect(names).toContain('חשמל ישראל בע"מ +972501111117')
    expect(names).toContain('Text +972501111128')
    expect(names).toHaveLength(10)
  })

  test('blank rows, trailing columns, rows that are short or long, and row numbers as a spreadsheet shows them', async () => {
    const { take } = await ownBusiness()
    const csv =
      'Customers 2024,,,\n,,,\nname,phone,,\n\nDana,0501111301,,\nBen\nno number,abc,,,,,\n,,,\nGil,0501111302,x,y,z\n,\n'
    const { preview, ...done } = await take({ csv })
    expect(done).toMatchObject({ created: 3, blank: 3, rejected: 1 })
    expect(preview.headingRow).toBe(3)
    expect(preview.rows.map(({ row, outcome }) => `${row} ${outcome}`)).toEqual([
      '4 blank',
      '5 created',
      '6 created',
      '7 rejected',
      '8 blank',
      '9 created',
      '10 blank',
    ])
  })

  test('a file without headings, and columns that only a person knows', async () => {
    const { take, people, owner } = await ownBusiness()
    await take({ csv: '0501111401,Dana\n0501111402,Ben\n', heading: false, mapping: { '1': 'phone', '2': 'name' } })
    await take({
      csv: 'מזהה;כינוי;תאריך לידה;עיר\n0501111403;Gil;31/12/1980;חיפה\n',
      mapping: { ' מזהה*': 'phone', כינוי: 'name', 'תאריך לידה': 'date:birthday', עיר: 'custom:city' },
    })
    expect((await people()).map(({ name, custom }) => ({ name, custom }))).toEqual([
      { name: 'Dana', custom: {} },
      { name: 'Ben', custom: {} },
      { name: 'Gil', custom: { birthday: '1980-12-31', city: 'חיפה' } },
    ])
    const preview = (mapping: Record<string, string>) =>
      owner.imports.preview({ kind: 'contacts', csv: 'a,b\n1,2\n', mapping })
    await expect(preview({ c: 'phone' })).rejects.toThrow('There is no column “c”. The columns are: “a”, “b”.')
    await expect(preview({ a: 'telephone' })).rejects.toThrow(/There is no field “telephone”/)
    await expect(owner.imports.preview({ kind: 'contacts', csv: 'a,b\n1,2\n' })).rejects.toThrow(/No column is known/)
  })

  test('dates and amounts that can be two things are asked for, and never guessed', async () => {
    const { take, owner } = await ownBusiness()
    const csv = 'name;value;date\nA;1,234;03/05/2024\nB;1.234;04/06/2024\nC;50;45000.5\n'
    const asked = await take({ kind: 'leads', csv })
    expect(asked).toMatchObject({ created: 1, rejected: 2 })
    expect(asked.preview.questions).toEqual([
      { field: 'amounts', column: 'value', rows: 2, examples: ['1,234', '1.234'], choices: ['1,234.50', '1.234,50'] },
      { field: 'dates', column: 'date', rows: 2, examples: ['03/05/2024', '04/06/2024'], choices: ['dmy', 'mdy'] },
    ])
    const chosen = await take({ kind: 'leads', csv, amounts: '1,234.50', dates: 'dmy' })
    expect(chosen).toMatchObject({ created: 2, existing: 1, preview: { questions: [] } })
    const leads = (await owner.leads.list({})).items
    const of = (name: string) => leads.find((lead) => lead.name === name)
    expect(of('A')?.valueAgorot).toBe(123_400)
    expect(of('B')?.valueAgorot).toBe(123)
    // Noon in Israel, and the half of day 45000.
    expect(of('A')?.createdAt.toISOString()).toBe('2024-05-03T09:00:00.000Z')
    expect(of('C')?.createdAt.toISOString()).toBe('2023-03-15T10:00:00.000Z')
    // One date that can only be read in one way decides for its column.
    const decided = await take({
      kind: 'leads',
      csv: 'name,date,value\nD,03/05/2024,"1,234"\nE,31/05/2024,"1,234.50"\n',
    })
    expect(decided).toMatchObject({ created: 2, preview: { questions: [] } })
    const d = (await owner.leads.list({})).items.find((lead) => lead.name === 'D')
    expect([d?.createdAt.toISOString().slice(0, 10), d?.valueAgorot]).toEqual(['2024-05-03', 123_400])
  })

  test('stages are known by their names, and who opted out stays so', async () => {
    const { take, owner } = await ownBusiness()
    expect(await take({ kind: 'leads', csv: 'name,stage\nA,מתאים\nB,Qualified\nC,won\nD,frozen\n' })).toMatchObject({
      created: 3,
      rejected: 1,
    })
    await take({
      csv: 'name,phone,opted out\nA,0501111501,yes\nB,0501111502,no\nC,0501111503,2024-01-01T10:00:00.000Z\n',
    })
    const { items } = await owner.contacts.list({ optedOut: true })
    expect(items.map(({ name }) => name).sort()).toEqual(['A', 'C'])
  })
})

test('what a file adds to people who are there is said before and after', async () => {
  const { take, people, owner } = await ownBusiness()
  await take({ csv: 'name,phone\nDana,0501111601\n' })
  expect(await take({ csv: 'name,phone\nDana,050-111-1601\n' })).toMatchObject({ existing: 1 })
  const more =
    'name,phone,email,tags,note\nDana K.,+972501111601 ::: 03-555-1234,d@example.com;x@example.com,vip,hello\n'
  expect(await take({ csv: more })).toMatchObject({ updated: 1 })
  expect(await take({ csv: more })).toMatchObject({ existing: 1, updated: 0 })
  // A person known by the second number of a row, and the same person twice in a file.
  expect(await take({ csv: 'name,phone\nD,04-855-1234 / 0501111601\nNew,0501111602\nNew,0501111602\n' })).toMatchObject(
    {
      updated: 1,
      created: 1,
      existing: 1,
    },
  )
  expect(await people()).toEqual([
    {
      name: 'Dana',
      phone: '+972501111601',
      email: 'd@example.com',
      tags: ['vip'],
      custom: { 'phone 2': '+97235551234', 'phone 3': '+97248551234', 'email 2': 'x@example.com' },
    },
    { name: 'New', phone: '+972501111602', email: null, tags: [], custom: {} },
  ])
  const [dana] = (await owner.search.all({ q: '0501111601' })).contacts
  expect((await owner.contacts.notes({ id: dana?.id ?? '' })).items).toHaveLength(1)
})

test('a strange export is accounted for row by row, and one person stays one contact', async () => {
  const { take, people, rejected } = await ownBusiness()
  const csv = [
    'Customers 2024,,,',
    'name,phone,note,Nickname',
    'Amal,0599123456,,',
    'Amal again,+970 59 912 3456,,',
    'Dana,"054-1234567 (אחרי 17:00)",,',
    'Ben,052-7654321 דודו,,',
    'Gil,*2700,,',
    ',,,',
    'סה"כ,5,,',
    '\x1a',
  ].join('\r\n')
  const first = await take({ csv })
  expect(first).toMatchObject({ created: 2, existing: 1, rejected: 3, blank: 1 })
  const [, ...refused]: string[][] = parse(await rejected(first.id))
  expect(refused.map(([name]) => name)).toEqual(['Dana', 'Gil', 'סה"כ'])
  const mended = (await rejected(first.id))
    .replace(/"?054-1234567 [^,]*"?/, '0541234567')
    .replace('*2700', '03-5551234')
  expect(await take({ csv: mended })).toMatchObject({ created: 2, rejected: 1 })
  expect((await people()).map(({ name, phone }) => [name, phone])).toEqual([
    ['Amal', '+972599123456'],
    ['Ben', '+972527654321'],
    ['Dana', '+972541234567'],
    ['Gil', '+97235551234'],
  ])
  // Twice the same file adds nothing, the words beside a number included.
  expect(await take({ csv })).toMatchObject({ created: 0, updated: 0, existing: 3 })
})

test('refused rows can be mended and taken in again, as they are', async () => {
  const { take, people, rejected, owner, business } = await ownBusiness()
  const csv = 'sep=;\nשם;טלפון;הערות\n"דנה; ""דנוש""";abc;"=1+1\nשורה שנייה"\nBen;0501111701;ok\n\'+Gil;5.01E+08;\n'
  const first = await take({ csv })
  expect(first).toMatchObject({ created: 1, rejected: 2 })
  const refused = await rejected(first.id)
  const [headings, ...rows]: string[][] = parse(refused)
  expect(headings).toEqual(['שם', 'טלפון', 'הערות', 'why it was refused'])
  expect(rows.map((row) => row.at(-1))).toEqual([
    'טלפון: no phone number; write it as +972… or 05x-…',
    'טלפון: the spreadsheet has cut digits off this number; format the column as text and fill it again',
  ])
  // Nothing mended: the same are refused again. Mended: they are taken, with every character.
  expect(await take({ csv: `\ufeff${refused}` })).toMatchObject({ created: 0, rejected: 2 })
  const mended = refused.replace('abc', '0501111702').replace('5.01E+08', '501111703')
  expect(await take({ csv: mended })).toMatchObject({ created: 2, rejected: 0 })
  expect((await people()).map(({ name, phone }) => [name, phone])).toEqual([
    ['Ben', '+972501111701'],
    ['דנה; "דנוש"', '+972501111702'],
    ['+Gil', '+972501111703'],
  ])
  const again = await owner.imports.rejected({ id: first.id, limit: 1 })
  expect([again.rows, (await owner.imports.rejected({ id: first.id, cursor: again.nextCursor ?? 0 })).rows]).toEqual([
    1, 1,
  ])
  await api.database.db.update(importRejects).set({ createdAt: sql`now() - interval '31 days'` })
  expect(await pruneRejects(api.ctx)).toBeGreaterThanOrEqual(4)
  expect((await owner.imports.rejected({ id: first.id })).rows).toBe(0)
  await expect(api.as({}).imports.rejected({ id: first.id })).rejects.toThrow(/no such import/)
  expect(business.businessId).not.toBe(api.businessId)
})

test('an erasure forgets refused rows too, and a row of an erased person is stored nowhere', async () => {
  const { owner, business, rejected } = await ownBusiness()
  const made = await owner.contacts.create({ phone: '0501111801', name: 'Erased' })
  const csv = 'name,phone,email\nErased,0501111801,not an address\nErased,0501111801,e@example.com\n'
  const first = await owner.imports.create({ kind: 'contacts', csv })
  const second = await owner.imports.create({ kind: 'contacts', csv })
  await runImport(business, first.id)
  expect(await rejected(first.id)).toContain('not an address')
  await eraseContact(business, made.id)
  await runImport(business, second.id)
  expect(await getImport(business, second.id)).toMatchObject({ state: 'done', rejected: 2 })
  for (const { id } of [first, second]) expect(await rejected(id)).not.toContain('Erased,')
})

describe('whatever a row holds', () => {
  test('it does not stop the others: every hostile text in every column, an emoji at every limit', async () => {
    const { take, people } = await ownBusiness()
    const quote = (text: string) => `"${text.replaceAll('"', '""')}"`
    const texts = [
      ...Object.values(HOSTILE_STRINGS),
      'a\0b',
      'x\ud800y',
      `${'x'.repeat(1_999)}😀`,
      `${'y'.repeat(63)}👨‍👩‍👧`,
    ]
    const lines = texts.map((text, index) => {
      const cells = [`Person ${index}`, `050222${String(1_000 + index)}`, text, text, text, text, text]
      return cells.map(quote).join(',')
    })
    const { created, rejected, errors } = await take({
      csv: ['name,phone,tags,note,extra,email,date', ...lines, 'Last,0502229999,,,,,'].join('\n'),
      mapping: { name: 'name', phone: 'phone', tags: 'tags', note: 'note', extra: 'custom:extra' },
    })
    // Half a character is not stored, and not replaced in silence.
    expect({ created, rejected }).toEqual({ created: texts.length, rejected: 1 })
    expect(new Set(errors.map(({ message }) => message))).toEqual(
      new Set(['holds characters that could not be read (�); fix them in the file']),
    )
    const all = await people()
    expect(all.at(-1)?.phone).toBe('+972502229999')
    const extras = all.flatMap(({ custom }) => (typeof custom.extra === 'string' ? [custom.extra] : []))
    for (const extra of extras) expect([extra.length <= 2_000, extra.isWellFormed()]).toEqual([true, true])
    expect(extras).toContain('x'.repeat(1_999))
  })

  test('what was exported comes in again as it was', async () => {
    const { owner } = await ownBusiness()
    const texts = Object.values(HOSTILE_STRINGS).filter((text) => text.length <= 200 && text.trim() !== '')
    for (const [index, text] of texts.entries())
      await owner.contacts.create({ phone: `+97250333${1_000 + index}`, name: text, custom: { city: text } })
    const other = await ownBusiness()
    let cursor: string | null = null
    do {
      const page: { csv: string; nextCursor: string | null } = await owner.exports.csv({
        kind: 'contacts',
        limit: 50,
        ...(cursor ? { cursor } : {}),
      })
      const csv: string = cursor ? `id,phone,name,email,tags,custom,opted out,created\r\n${page.csv}` : page.csv
      await other.take({ csv })
      cursor = page.nextCursor
    } while (cursor)
    // Invisible characters and spaces at the ends of a cell are not kept.
    const trimmed = (text: string | null) => text?.replace(/^[\s\p{Cf}]+|[\s\p{Cf}]+$/gu, '') ?? null
    const before = (await owner.contacts.list({ limit: 200 })).items.map(({ phone, name, custom }) => [
      phone,
      trimmed(name),
      custom,
    ])
    const after = (await other.owner.contacts.list({ limit: 200 })).items.map(({ phone, name, custom }) => [
      phone,
      trimmed(name),
      custom,
    ])
    expect(after.sort()).toEqual(before.sort())
  }, 60_000)

  test('an import that never comes further is given up, and says so', async () => {
    const { owner, business } = await ownBusiness()
    const { id } = await owner.imports.create({ kind: 'contacts', csv: 'name\nA\n' })
    const failing = { ...business, db: Object.create(api.database.db) }
    failing.db.transaction = () => {
      throw new Error('the process died')
    }
    for (let run = 0; run < 20; run += 1) expect(runImport(failing, id)).rejects.toThrow(/died/)
    await runImport(business, id)
    expect(await getImport(business, id)).toMatchObject({
      state: 'failed',
      failure: expect.stringContaining('20 times'),
    })
  }, 60_000)
})

describe('a file made to hurt', () => {
  /** How long the process stood still at most, in ms, while this ran. */
  const stalledBy = async <Result>(run: () => Promise<Result>) => {
    let last = performance.now()
    let longest = 0
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 5)
    const result = await run()
    clearInterval(timer)
    return { longest: Math.max(longest, performance.now() - last), result }
  }

  test('is refused for its columns, and the process goes on', async () => {
    const { owner } = await ownBusiness()
    const csv = `${Array.from({ length: 1_000 }, (_, index) => `c${index}`).join(',')}\n${'x\n'.repeat(30_000)}`
    const before = process.memoryUsage().rss
    const { longest } = await stalledBy(() =>
      owner.imports
        .preview({ kind: 'contacts', csv })
        .catch((error: unknown) => expect(String(error)).toContain('200 columns')),
    )
    expect(longest).toBeLessThan(250)
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6)
    const wide = `name,phone${','.repeat(16_000)}\nDana,0501111901${','.repeat(16_000)}\n`
    expect(await owner.imports.preview({ kind: 'contacts', csv: wide })).toMatchObject({
      created: 1,
      columns: ['name', 'phone'],
    })
  }, 60_000)

  test('or of eight megabytes is read without stopping anybody', async () => {
    const { owner } = await ownBusiness()
    const line = (index: number) => `Person ${index},050${String(4_000_000 + index)},${'note '.repeat(6)}\n`
    const csv = `name,phone,note\n${Array.from({ length: 110_000 }, (_, index) => line(index)).join('')}`
    const file = base64(csv.slice(0, csv.lastIndexOf('\n', 7_700_000) + 1))
    const before = process.memoryUsage().rss
    const { longest, result } = await stalledBy(() => owner.imports.preview({ kind: 'contacts', file }))
    expect(sumOf(result)).toBe(result.total)
    expect(result.total).toBeGreaterThan(100_000)
    expect(process.memoryUsage().rss - before).toBeLessThan(600e6)
    expect(longest).toBeLessThan(1_500)
    await expect(owner.imports.preview({ kind: 'contacts', csv: `name\n${'a\n'.repeat(200_001)}` })).rejects.toThrow(
      /200000 rows/,
    )
    await expect(
      owner.imports.create({ id: newId(), kind: 'contacts', csv: 'name\nA\n', file: base64('name\nA\n') }),
    ).rejects.toThrow(/either/)
  }, 120_000)
})
