import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type ConsoleFixture, judge, startConsole, VIEWS } from '../support/console.ts'
import { docxOf, paragraph, wordTable } from '../support/documents.ts'
import { eventually } from '../support/product.ts'

const LONG = 180_000
const PRICES = docxOf(
  paragraph('מחירון', 'Heading1') +
    wordTable([
      ['שירות', 'מחיר'],
      ['ניקוי מזגן', '350 ₪'],
    ]),
)

let fixture: ConsoleFixture
let price = 250
const site = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request) {
    const body = { '/': 'שרברב בראשון <a href="/visit">ביקור</a>', '/visit': `ביקור טכנאי עולה ${price} שקלים` }
    const found = Object.entries(body).find(([path]) => path === new URL(request.url).pathname)
    if (!found) return new Response('', { status: 404 })
    const headers = { 'content-type': 'text/html; charset=utf-8' }
    return new Response(`<title>כהן שרברבות</title><p>${found[1]}</p>`, { headers })
  },
})

beforeAll(async () => {
  fixture = await startConsole({ env: { WEBHOOKS_ALLOW_PRIVATE: '1' } })
}, LONG)
afterAll(async () => {
  await fixture.stop()
  await site.stop(true)
}, LONG)

test(
  'a file and the site are added, read by the worker, found, shown with what changed, and removed',
  async () => {
    const { product } = fixture
    const { page, problems, close } = await fixture.open('/settings?part=sources', { language: 'en' })
    const rows = page.getByRole('list', { name: 'Files and site' })
    const row = (name: string) => rows.getByRole('listitem').filter({ hasText: name })
    const files = [
      { name: 'מחירון קיץ.docx', mimeType: 'application/octet-stream', buffer: Buffer.from(PRICES) },
      { name: 'old.doc', mimeType: 'application/msword', buffer: Buffer.from('d0cf11e0a1b11ae1', 'hex') },
    ]
    for (const file of files) {
      await page.getByLabel(/^File(?!s)/).setInputFiles(file)
      await page.getByRole('button', { name: 'Add the file' }).click()
      await rows.getByText(file.name.replace(/\.\w+$/, ''), { exact: true }).waitFor()
    }
    await page.getByLabel('Address of the site').fill(`http://127.0.0.1:${site.port}/`)
    await page.getByRole('button', { name: 'Read the site' }).click()
    await row('127.0.0.1').getByText('2 pages').waitFor({ timeout: 90_000 })
    await row('מחירון קיץ').getByText('In use').waitFor({ timeout: 60_000 })
    await row('old').getByText('This is a file of an old Office', { exact: false }).waitFor({ timeout: 60_000 })

    const { knowledge, knowledgeSources } = product.trpc()
    const { items } = await knowledgeSources.list.query({})
    const found = async (query: string) => (await knowledge.search.query({ query })).hits[0]
    expect(await found('כמה עולה ניקוי מזגן?')).toMatchObject({ source: { kind: 'file', name: 'מחירון קיץ' } })
    expect((await found('כמה עולה ביקור טכנאי?'))?.text).toContain('250')

    price = 300
    await row('127.0.0.1').getByRole('button', { name: 'Read again' }).click()
    const id = items.find(({ kind }) => kind === 'site')?.id ?? ''
    await eventually(
      async () => (await knowledgeSources.pages.query({ id })).items.some(({ change }) => change === 'changed'),
      'the page that changed',
      90_000,
    )
    expect((await found('כמה עולה ביקור טכנאי?'))?.text).toContain('300')

    await row('old').getByRole('button', { name: 'Remove' }).click()
    await row('old').getByRole('button', { name: 'Remove' }).click()
    await row('old').waitFor({ state: 'detached' })
    expect(problems).toEqual([])
    await close()
  },
  LONG,
)

for (const { language, width } of VIEWS)
  test(
    `files and site in ${language} at ${width} pixels`,
    async () => {
      const { page, problems } = await fixture.show('/settings?part=sources', { language, width })
      const rows = page.getByRole('list', { name: /^(Files and site|קבצים ואתר)$/ })
      const row = rows.getByRole('listitem').filter({ hasText: '127.0.0.1' })
      await row.getByText(/^(Pages and changes|דפים ושינויים)$/).click()
      await row.getByText(/^(Changed|השתנה)/).waitFor()
      await judge(page, `sources-${language}-${width}`, problems)
    },
    LONG,
  )
