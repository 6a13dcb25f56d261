import { afterAll, beforeAll, expect, test } from 'bun:test'
import { agentRuns } from '../../db/schema/index.ts'
import { saveAgentSettings } from '../../src/domain/agent/index.ts'
import { within } from '../../src/domain/context.ts'
import { getMessage, receiveMessage } from '../../src/domain/messages/index.ts'
import { newId } from '../../src/lib/ids.ts'
import { type ConsoleFixture, judge, startConsole, VIEWS } from '../support/console.ts'
import { eventually } from '../support/product.ts'

const LONG = 120_000
const PHONE = '+972501239876'
let fixture: ConsoleFixture
let contactId = ''

beforeAll(async () => {
  fixture = await startConsole({
    async prepare(ctx, businessId) {
      const business = within(ctx, businessId)
      const messageId = await receiveMessage(business, {
        provider: 'twilio',
        businessId,
        dedupeKey: newId(),
        providerMessageId: newId(),
        kind: 'text',
        from: { phone: PHONE, name: 'רות' },
        body: 'מתי פתוח?',
        media: [],
        at: new Date().toISOString(),
      })
      ;({ contactId } = await getMessage(business, messageId))
      await saveAgentSettings(business, { enabled: true, approveFirst: true })
      const draft = { id: newId(), businessId, contactId, outcome: 'draft', text: 'פתוח עד שש.' } as const
      await ctx.db.insert(agentRuns).values(draft)
    },
  })
}, LONG)
afterAll(() => fixture.stop(), LONG)

for (const { language, width } of VIEWS)
  test(
    `the agent in the settings and in a conversation in ${language} at ${width} pixels`,
    async () => {
      const settings = await fixture.show('/settings?part=assistant', { language, width })
      await settings.page.getByRole('heading', { level: 2 }).first().waitFor()
      await judge(settings.page, `settings-assistant-${language}-${width}`, settings.problems)
      const thread = await fixture.show(`/inbox?contact=${contactId}`, { language, width })
      await thread.page.locator('form').getByText('פתוח עד שש.').waitFor()
      await judge(thread.page, `thread-agent-${language}-${width}`, thread.problems)
    },
    LONG,
  )

test(
  'a draft is changed and sent, and the agent paused and given back',
  async () => {
    const { page, problems, close } = await fixture.open(`/inbox?contact=${contactId}`, { language: 'en' })
    const bar = page.getByRole('region', { name: 'The agent in this conversation' })
    await bar.getByRole('button', { name: 'Pause' }).click()
    await bar.getByText('The agent is paused by hand').waitFor()
    await bar.getByRole('button', { name: 'Give back' }).click()
    await bar.getByText('The agent answers').waitFor()
    await bar.getByLabel('What the agent would send').fill('פתוח עד שבע.')
    await bar.getByRole('button', { name: 'Send' }).click()
    await bar.getByLabel('What the agent would send').waitFor({ state: 'detached' })
    const sent = () =>
      [...fixture.product.carrier.messages.values()]
        .filter(({ to }) => to === `whatsapp:${PHONE}`)
        .map(({ body }) => body)
    await eventually(() => sent().length > 0, 'the message to be sent', 60_000)
    expect(sent()).toEqual(['פתוח עד שבע.'])
    await judge(page, 'thread-agent-sent', problems)
    await close()
  },
  LONG,
)

test(
  'in the panel of a contact: what the agent knows, and off for this contact alone',
  async () => {
    for (const language of ['he', 'en'] as const)
      await fixture.product.trpc().contacts.addNote.mutate({ id: contactId, body: `#agent ${language}` })
    const { page, problems, close } = await fixture.open(`/inbox?contact=${contactId}`, { language: 'en' })
    await page.getByRole('button', { name: 'Details' }).click()
    const part = page.getByRole('region', { name: 'The agent and this contact' })
    await part.getByRole('button', { name: 'What the agent knows' }).click()
    await part.getByText('מתי פתוח?').waitFor()
    await part.getByText('Note: he').waitFor()
    const answers = part.getByLabel('The agent answers this contact')
    const modes = () => fixture.product.sql<{ mode: string }[]>`select mode from agent_states`
    for (const mode of ['off', 'on']) {
      await answers.click()
      await eventually(async () => (await modes())[0]?.mode === mode, `the agent ${mode} for the contact`)
    }
    await judge(page, 'contact-agent', problems)
    await close()
  },
  LONG,
)

test(
  'what is set in the settings counts',
  async () => {
    const { page, problems, close } = await fixture.open('/settings?part=assistant', { language: 'en' })
    await page.getByLabel('Show me each answer before it is sent').uncheck()
    await page.getByLabel('Answer voice notes by voice note').check()
    await page.getByLabel('Israeli ID numbers').check()
    await page.getByLabel('Bank accounts and IBAN').check()
    await page.getByLabel('When it answers').selectOption('closed')
    await page.getByLabel('Matters for people only').fill('refund\ncomplaint')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved').waitFor()
    const [row] = await fixture.product.sql`select settings from agent_settings`
    expect(row?.settings).toMatchObject({
      approveFirst: false,
      answersByVoice: true,
      masked: ['id_number', 'bank_account'],
      answers: 'closed',
      handoverTopics: ['refund', 'complaint'],
    })
    await judge(page, 'settings-assistant-saved', problems)
    await close()
  },
  LONG,
)
