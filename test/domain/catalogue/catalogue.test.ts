import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createRespond, saveAgentSettings } from '../../../src/domain/agent/index.ts'
import {
  changeItem,
  importItems,
  listItems,
  removeItem,
  saveItem,
  searchCatalogue,
} from '../../../src/domain/catalogue/index.ts'
import type { BusinessContext } from '../../../src/domain/context.ts'
import { newId } from '../../../src/lib/ids.ts'
import type { TextModels } from '../../../src/providers/models/port.ts'
import { testAgent } from '../../support/agent.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

let domain: TestDomain
let ctx: BusinessContext

const APARTMENTS = `מק״ט,שם,תיאור,מחיר,תמונה,סטטוס,חדרים,עיר,שטח,קומה,מרפסת
A1,דירת 3 חדרים בדיזנגוף,"משופצת, קרובה לים","2,900,000",https://example.com/a1.jpg,פנוי,3,תל אביב,78 מ״ר,3,כן
A2,דירת 4 חדרים ברמת גן,ממ״ד וחניה,"3,150,000 ₪",https://example.com/a2.jpg,זמינה,4,רמת גן,105,7,כן
A3,דירת 4 חדרים בדיזנגוף,קומת קרקע,3600000,https://example.com/a3.jpg,נמכרה,4,תל אביב,98,0,לא
A4,פנטהאוז ברמת גן,גג גדול,"5,900,000",https://example.com/a4.jpg,שמורה,5,רמת גן,160,12,כן
A5,סטודיו ביפו,,1450000,,,1.5,תל אביב - יפו,38,2,לא
`

beforeAll(async () => {
  domain = await openDomain()
  ctx = await domain.newBusiness()
})
afterAll(() => domain.close())

const found = async (query: Parameters<typeof searchCatalogue>[1]) =>
  (await searchCatalogue(ctx, query)).items.map(({ sku }) => sku).sort()

describe('a file of items', () => {
  test('is looked at, written, and written again by the numbers of its items', async () => {
    const looked = await importItems(ctx, { csv: APARTMENTS, dryRun: true })
    expect(looked).toMatchObject({ created: 5, rejected: [], rejectedCount: 0 })
    expect(looked.columns.map(({ field }) => field)).toEqual([
      ...['sku', 'name', 'description', 'price', 'picture', 'state'],
      ...['attribute:rooms', 'attribute:area', 'attribute:size', 'attribute:floor', 'attribute:מרפסת'],
    ])
    expect((await listItems(ctx, {})).items).toEqual([])
    expect(await importItems(ctx, { csv: APARTMENTS })).toMatchObject({ created: 5, updated: 0 })
    const again = APARTMENTS.replace('2,900,000', '2,850,000')
    // As Excel saves it on a Hebrew Windows: UTF-16 with tabs.
    const file = Buffer.from(`\uFEFF${again.replace(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/g, '\t')}`, 'utf16le').toString(
      'base64',
    )
    expect(await importItems(ctx, { file })).toMatchObject({ created: 0, updated: 5 })
    const { items } = await listItems(ctx, { q: 'A1' })
    expect(items).toMatchObject([
      {
        ...{ sku: 'A1', name: 'דירת 3 חדרים בדיזנגוף', priceAgorot: 285_000_000, currency: 'ILS', state: 'available' },
        attributes: { rooms: 3, area: 'תל אביב', size: 78, floor: 3, מרפסת: 'כן' },
      },
    ])
  })

  test('says of each row why it was not taken, and takes the others', async () => {
    const other = await domain.newBusiness()
    const csv = [
      'sku;name;price;stock;status;image',
      ...[
        '1;;5;;;',
        '2;B;five;;;',
        '3;C;5;many;;',
        '4;D;5;;maybe;',
        '5;E;5;;;ftp://x',
        '6;F;5;3;;',
        '6;F;5;3;;',
        '7;G;$5;no;;',
      ],
    ].join('\n')
    const { rejected, ...rest } = await importItems(other, { csv })
    expect(rejected.map(({ row, code }) => `${row} ${code}`)).toEqual([
      ...['2 name', '3 price', '4 stock', '5 state', '6 picture', '8 twice'],
    ])
    expect(rest).toMatchObject({ created: 2, updated: 0, rejectedCount: 6 })
    expect(
      (await listItems(other, {})).items.map(({ sku, currency, state, stock }) => ({ sku, currency, state, stock })),
    ).toEqual([
      { sku: '7', currency: 'USD', state: 'sold', stock: null },
      { sku: '6', currency: 'ILS', state: 'available', stock: 3 },
    ])
    for (const bad of [{ csv: 'price\n5\n' }, { csv: '\n' }, {}, { csv: 'name\nA', file: 'QQ==' }])
      await expect(importItems(other, bad)).rejects.toMatchObject({ code: 'invalid_csv' })
    const tooMany = `name\n${Array.from({ length: 5_001 }, (_, i) => `n${i}`).join('\n')}`
    await expect(importItems(other, { csv: tooMany })).rejects.toMatchObject({ code: 'csv_too_large' })
    const full = `name\n${Array.from({ length: 4_999 }, (_, i) => `n${i}`).join('\n')}`
    await expect(importItems(other, { csv: full })).rejects.toMatchObject({ code: 'catalogue_full' })
  })
})

describe('a search', () => {
  test('keeps to what is asked, and shows what can be had', async () => {
    expect(await found({})).toEqual(['A1', 'A2', 'A4', 'A5'])
    expect(await found({ min_rooms: 4, max_rooms: 4 })).toEqual(['A2'])
    expect(await found({ area: 'תל-אביב' })).toEqual(['A1', 'A5'])
    expect(await found({ area: 'ברמת גן', max_price: 4_000_000 })).toEqual(['A2'])
    expect(await found({ min_size: 100, attributes: [{ name: 'קומה', min: 10 }] })).toEqual(['A4'])
    expect(await found({ attributes: [{ name: 'מרפסת', value: 'כן' }], max_price: 3_000_000 })).toEqual(['A1'])
    expect(await found({ query: 'משהו משופץ קרוב לים' })).toEqual(['A1'])
    expect(await found({ query: 'דירה', area: 'רמת גן', max_rooms: 4 })).toEqual(['A2'])
    expect(await found({ query: 'אופניים' })).toEqual([])
    expect(await found({ query: 'כן' })).toEqual([])
    expect(await found({ query: 'עם מרפסת' })).toEqual(['A1', 'A2', 'A4'])
    expect(await searchCatalogue(await domain.newBusiness(), {})).toEqual({ items: [], total: 0, empty: true })
  })

  test('forgets what is sold out, changed or removed', async () => {
    const item = await saveItem(ctx, { sku: 'B1', name: 'מקדחה כחולה', priceAgorot: 19_990, stock: 2 })
    expect(await found({ query: 'מקדחה' })).toEqual(['B1'])
    await changeItem(ctx, item.id, { stock: 0 })
    expect(await found({ query: 'מקדחה' })).toEqual([])
    await expect(changeItem(ctx, item.id, { sku: 'A1' })).rejects.toMatchObject({ code: 'sku_taken' })
    await changeItem(ctx, item.id, { stock: null, state: 'hidden' })
    expect(await found({ query: 'מקדחה' })).toEqual([])
    await removeItem(ctx, item.id)
    for (const work of [() => removeItem(ctx, item.id), () => changeItem(ctx, newId(), { name: 'x' })])
      await expect(work()).rejects.toMatchObject({ code: 'item_not_found' })
  })
})

describe('on WhatsApp', () => {
  const sent = async (phone: string) => [
    ...(await domain.handle.sql<{ body: string; url: string | null }[]>`
      select body, outbound_media->0->>'url' as url from messages join contacts on contacts.id = messages.contact_id
      where contacts.phone = ${phone} and direction = 'out' order by messages.id`),
  ]

  test('the rules name what fits, with its price; its pictures go once a day', async () => {
    await saveAgentSettings(ctx, { enabled: true })
    const agent = testAgent(domain, ctx)
    const phone = '+972501230001'
    await agent.say(phone, 'יש לכם דירות 4 חדרים עד 3.5 מיליון?')
    await agent.run()
    expect(await sent(phone)).toEqual([
      { body: expect.stringContaining('דירת 4 חדרים ברמת גן: 3,150,000 ₪'), url: 'https://example.com/a2.jpg' },
    ])
    await agent.pass(phone)
    await agent.say(phone, 'ועוד פעם, דירות 4 חדרים?')
    await agent.run()
    expect((await sent(phone)).map(({ url }) => url)).toEqual(['https://example.com/a2.jpg', null])
    const [run] = await domain.handle.sql`select sources from agent_runs order by id desc limit 1`
    expect(run?.sources).toContainEqual({ title: 'דירת 4 חדרים ברמת גן', kind: 'catalogue' })
  })

  test('a model’s answer takes the pictures of the items that it names, at most three', async () => {
    let says = ''
    const models: TextModels = {
      availableFor: async () => true,
      async generate(request) {
        const tool = request.tools?.find(({ name }) => name === 'search_catalogue')
        await tool?.execute({}, { signal: AbortSignal.timeout(5_000) })
        return {
          ...{ text: says, end: 'answered', steps: [], model: 'test:scripted', costMicros: 0, totalMs: 1 },
          usage: { inputTokens: 1, cachedTokens: 0, outputTokens: 1, estimated: false },
        }
      },
    }
    const agent = testAgent(domain, ctx, { respond: createRespond({ models, readFile: async () => null }) })
    const ask = async (phone: string, text: string) => {
      says = text
      await agent.say(phone, 'מה יש?')
      await agent.run()
      return (await sent(phone)).map(({ url }) => url)
    }
    expect(await ask('+972501230002', 'יש את פנטהאוז ברמת גן, 5,900,000 ₪, ויש סטודיו ביפו.')).toEqual([
      'https://example.com/a4.jpg',
    ])
    expect(await ask('+972501230003', 'מה התקציב שלכם?')).toEqual([null])
    await saveItem(ctx, { sku: 'A6', name: 'דירה בגבעתיים', pictureUrl: 'https://example.com/a6.jpg', priceAgorot: 1 })
    const all = 'A6, A1, A2, A4'
    expect((await ask('+972501230004', all)).filter(Boolean)).toHaveLength(3)
  })
})
