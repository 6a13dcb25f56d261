import { eq, sql } from 'drizzle-orm'
import { agentRuns, alertIncidents, invitations, messages, payments, recordings } from '../../db/schema/index.ts'
import type { PERMISSIONS } from '../../src/access/permissions.ts'
import { saveAgentSettings } from '../../src/domain/agent/index.ts'
import { createApiKey } from '../../src/domain/businesses/index.ts'
import { attachCallTrace, claimStream, registerCall } from '../../src/domain/calls/index.ts'
import { setAside } from '../../src/domain/inbox/index.ts'
import { recordGap } from '../../src/domain/knowledge/index.ts'
import { receiveMessage } from '../../src/domain/messages/index.ts'
import { newId } from '../../src/lib/ids.ts'
import type { TestApi } from './api.ts'
import { insertAppointment } from './appointments.ts'
import { insertConnection } from './calendars.ts'
import { traceOfCall } from './call-trace.ts'
import { EXAMPLE_PUSH_KEYS } from './push-service.ts'
import { SERVER_ID } from './services.ts'

export type ProcedurePath = keyof typeof PERMISSIONS

/** What a procedure that may be called answers when its state cannot be made here: the code, and why. */
export const DOMAIN_REFUSALS: Partial<Record<ProcedurePath, { code: string; because: string }>> = {
  'calls.end': { code: 'call_not_live', because: 'Only a carrier’s stream gives a server a call.' },
  'calls.transfer': { code: 'call_not_live', because: 'Only a carrier’s stream gives a server a call.' },
  'calls.whisper': { code: 'call_not_live', because: 'Only a carrier’s stream gives a server a call.' },
  'payments.refund': { code: 'payment_not_paid', because: 'Only a payment provider makes a payment paid.' },
  'alerts.sendCode': { code: 'no_phone', because: 'the member has given no number' },
  'alerts.confirmPhone': { code: 'code_wrong', because: 'no code was sent' },
  'businesses.connectNumber': {
    code: 'carrier_not_configured',
    because: 'Only a carrier has numbers.',
  },
  'calendars.connect': { code: 'calendar_unreachable', because: 'Only a calendar server has calendars.' },
  'knowledgeSources.addFile': { code: 'file_not_found', because: 'Only the route that takes files has one.' },
  'models.test': { code: 'model_not_set', because: 'Only a provider’s key makes a model answer.' },
  'receptionist.previewAudio': { code: 'no_voice', because: 'Only a process that serves calls speaks.' },
  'receptionist.testCall': { code: 'no_voice', because: 'Only a process that serves calls takes test calls.' },
  'whatsapp.confirm': { code: 'nothing_to_confirm', because: 'Only a linked phone makes a number to confirm.' },
  'whatsapp.refuse': { code: 'nothing_to_confirm', because: 'Only a linked phone makes a number to refuse.' },
}

/** A scenario of a business of its own. */
export const scenarioNamed = (name: string) =>
  `name: ${name}\nchannels: [chat]\ngiven: {}\nscript: [{ send: Hello, expect: { replies: 1 } }]\n`

/**
 * A valid input for every procedure, made anew for each call: what a call removes or uses up is there for the next one.
 * The rows belong to the first business of `api`.
 */
export async function prepareValidInputs(
  api: TestApi,
): Promise<Record<ProcedurePath, () => unknown | Promise<unknown>>> {
  const { business, businessId } = api
  const userId = await api.addUser('owner')
  const owner = api.as({ operator: true }, { userId })
  let serial = 0
  const phone = () => `+97250${String(2_000_000 + ++serial)}`
  const address = () => `person-${newId()}@example.com`

  const newContact = async () => (await owner.contacts.create({ phone: phone(), name: 'Dana' })).id
  const contact = await newContact()
  const newNote = async () => (await owner.contacts.addNote({ id: contact, body: 'A note' })).id
  const newLead = async () => (await owner.leads.create({ contactId: contact, name: 'Dana' })).id
  const lead = await newLead()
  const messageId = await receiveMessage(business, {
    provider: 'twilio',
    businessId,
    dedupeKey: newId(),
    providerMessageId: newId(),
    kind: 'text',
    from: { phone: phone() },
    body: 'Hello',
    media: [],
    at: new Date().toISOString(),
  })
  const newLinkedMessage = async () => {
    const [id, key] = [await newAccount(), newId()]
    const said = { provider: 'baileys', businessId, accountId: id, kind: 'text', body: 'Hello' } as const
    const at = new Date().toISOString()
    return await receiveMessage(business, {
      ...said,
      ...{ dedupeKey: key, providerMessageId: key, from: { phone: phone() }, media: [], at },
    })
  }
  const newUnknownMessage = async () => {
    const id = newId()
    const { conversationId, contactId } = await owner.messages.get({ id: messageId })
    const sent = { direction: 'out', provider: 'twilio', status: 'unknown', body: 'Hello' } as const
    await api.database.db.insert(messages).values({ ...sent, id, businessId, conversationId, contactId })
    return id
  }
  const newWaitingConversation = async () => {
    await saveAgentSettings(business, { enabled: true })
    const id = await newLinkedMessage()
    return (await owner.messages.get({ id })).conversationId
  }
  const newAgentDraft = async () => {
    const { contactId } = await owner.messages.get({ id: messageId })
    const id = newId()
    await api.database.db.insert(agentRuns).values({ id, businessId, contactId, outcome: 'draft', text: 'Hello' })
    return id
  }
  const [conversation] = (await owner.conversations.list()).items
  const callSid = `CA${newId()}`
  const call = await registerCall(business, { callSid, from: phone(), to: '+97233330000', at: new Date() })
  const liveSid = `CA${newId()}`
  const at = new Date()
  const liveCall = await registerCall(business, { callSid: liveSid, from: phone(), to: '+97233330000', at })
  const stream = { streamSid: 'MZ1', serverId: SERVER_ID, from: '', to: '', at }
  await claimStream(business, { callSid: liveSid, ...stream })
  const traceKey = `calls/${businessId}/${callSid}/record.jsonl`
  const trace = new TextEncoder().encode(traceOfCall({ callSid, businessId, said: 'Hello' }))
  await api.services.storage.put(traceKey, trace, 'application/x-ndjson')
  await attachCallTrace(business, { callSid, key: traceKey, lines: 1 })
  await owner.receptionist.save({ settings: { instructions: 'Be brief.' } })
  const newMember = async () => {
    const id = await api.addUser('viewer')
    const { items } = await owner.members.list({ limit: 200 })
    const found = items.find((each) => each.userId === id)
    if (!found) throw new Error('The new member is not listed.')
    return found.id
  }
  const member = await newMember()
  const newInvitation = async () => (await owner.members.invite({ email: address(), role: 'agent' })).id
  const newGap = async () => {
    await recordGap(business, { question: `Question ${++serial}x?`, channel: 'call', callSid })
    const gap = (await owner.knowledge.gaps({ limit: 200 })).items.find(
      (each) => each.question === `Question ${serial}x?`,
    )
    if (!gap) throw new Error('The new question is not listed.')
    return gap.id
  }
  const newSource = async () => {
    const { items } = await owner.knowledgeSources.list({ limit: 200 })
    for (const { id } of items) await owner.knowledgeSources.remove({ id })
    return (await owner.knowledgeSources.addSite({ url: `https://site-${++serial}.example.com/` })).id
  }
  const newItem = async () => (await owner.catalogue.save({ sku: `S${++serial}`, name: 'An item' })).id
  const newText = async () => (await owner.receptionist.saveText({ title: `Text ${++serial}`, body: 'Hours' })).id
  const newScenario = async () => (await owner.scenarios.save({ source: scenarioNamed(`scenario-${++serial}`) })).id
  const newDraft = async () => {
    const { revision } = await owner.receptionist.draft()
    const settings = { instructions: `Be brief: ${++serial}.` }
    return { revision: (await owner.receptionist.saveDraft({ revision, settings })).revision }
  }
  const nextStart = () => new Date(Date.parse('2090-01-01T08:00:00Z') + ++serial * 3_600_000)
  const newService = () => ({ nameHe: `שירות ${++serial}`, nameEn: `Service ${serial}`, minutes: 30 })
  const newWaiting = () => ({ phone: phone(), from: '2090-01-01T08:00:00Z', to: '2090-01-02T08:00:00Z' })
  const newAbsence = async () => {
    const { id } = await owner.booking.saveStaff({ name: `Person ${++serial}` })
    return { staffId: id, startsAt: '2090-02-01T08:00:00Z', endsAt: '2090-02-02T08:00:00Z' }
  }
  const newAppointment = async () => {
    const id = newId()
    const startsAt = nextStart()
    const times = { startsAt, endsAt: new Date(startsAt.getTime() + 1_800_000) }
    await insertAppointment(api.database.db, { id, businessId, name: 'Dana', ...times })
    return id
  }
  const newConnection = async () => insertConnection(api.database.db, businessId, await newAppointment())
  const newRecording = async () => {
    const id = newId()
    const recording = { id, businessId, callId: call, recordingSid: `RE${id}`, recordedAt: new Date() }
    await api.database.db.insert(recordings).values({ ...recording, state: 'stored' })
    return id
  }
  const newEndpoint = async () => (await owner.webhooks.create({ url: `https://example.com/${newId()}` })).id
  const endpoint = await newEndpoint()
  const csv = () => `phone,name\n${phone()},Dana\n`
  const importId = (await owner.imports.create({ kind: 'contacts', csv: csv() })).id
  const newAccount = async () => (await owner.whatsapp.create({})).id
  const account = await newAccount()
  const paymentId = newId()
  await api.database.db.insert(payments).values({
    id: paymentId,
    businessId,
    contactId: contact,
    amount: 100,
    currency: 'ILS',
    description: 'A repair',
    provider: 'paypal',
    requestHash: '',
    expiresAt: new Date(Date.now() + 3_600_000),
  })
  const newQuarantined = async () => {
    const key = `message.receive:${newId()}`
    const payload = { businessId, body: 'x' }
    await setAside(api.ctx, { job: 'message.receive', key, payload, error: new Error('refused'), attempts: 3 })
    const [newest] = (await api.as({ operator: true }).quarantine.list({ limit: 200 })).items
    if (!newest) throw new Error('Nothing was set aside.')
    return newest.id
  }
  const newDevice = () => ({
    subscription: {
      // An address without a name: nothing is looked up.
      endpoint: `https://127.0.0.1/${newId()}`,
      keys: EXAMPLE_PUSH_KEYS,
    },
    label: 'A telephone',
    language: 'he' as const,
  })
  const addDevice = async () => {
    // A member has so many at most: the newest are those that are being tried.
    await api.database.db.execute(
      sql`delete from push_devices where id not in (select id from push_devices order by id desc limit 10)`,
    )
    return await api.as({}).push.subscribe(newDevice())
  }
  const newAlert = async () => {
    const id = newId()
    const times = { firstAt: new Date(), lastAt: new Date(), openedAt: new Date() }
    const expiresAt = new Date(Date.now() + 3_600_000)
    await api.database.db
      .insert(alertIncidents)
      .values({ id, businessId, kind: 'lead', subject: id, state: 'open', ...times, expiresAt })
    return id
  }
  const alert = await newAlert()
  const channelTarget = { way: 'webhook' as const, url: 'https://example.com/alerts' }
  const addChannel = async () => {
    await api.database.db.execute(
      sql`delete from alert_channels where id not in (select id from alert_channels order by id desc limit 10)`,
    )
    return await owner.alerts.addChannel({ target: channelTarget, label: 'Office', language: 'he' })
  }
  const [event] = (await owner.events.list()).items
  if (!conversation || !event) throw new Error('The business has no conversation, or no event.')
  const newBusiness = () => api.addBusiness(`Business ${++serial}`)
  const newNumber = () => `+97239${String(100_000 + ++serial)}`

  return {
    'account.me': () => undefined,
    'members.list': () => ({}),
    'members.get': () => ({ id: member }),
    'members.invite': () => ({ email: address(), role: 'viewer' }),
    'members.invitations': () => ({}),
    'members.resendInvitation': async () => {
      const id = await newInvitation()
      const updatedAt = new Date(Date.now() - 3_600_000)
      await api.database.db.update(invitations).set({ updatedAt }).where(eq(invitations.id, id))
      return { id }
    },
    'members.revokeInvitation': async () => ({ id: await newInvitation() }),
    'members.requireSecondFactor': () => ({ required: false }),
    'members.setRole': async () => ({ id: await newMember(), role: 'agent' }),
    'members.remove': async () => ({ id: await newMember() }),
    'keys.list': () => ({}),
    'keys.create': () => ({ name: 'A key', scope: 'read' }),
    'keys.revoke': async () => ({ id: (await createApiKey(business, { name: 'A key' })).id }),
    'credentials.list': () => undefined,
    'credentials.set': () => ({ provider: 'tranzila', keys: { terminal: 't', appKey: 'k', secret: 's' } }),
    'credentials.remove': async () => {
      await owner.credentials.set({ provider: 'tranzila', keys: { terminal: 't', appKey: 'k', secret: 's' } })
      return { provider: 'tranzila' }
    },
    'models.settings': () => undefined,
    'models.change': () => ({ monthlyMicros: 1_000_000 }),
    'models.test': () => ({ model: 'openai:gpt-5-mini' }),
    'models.budget': () => undefined,
    'models.uses': () => ({ from: '2026-11-01', to: '2026-11-30' }),
    'models.months': () => ({}),
    'models.ofConversation': () => ({ id: newId() }),
    'models.ofCall': () => ({ id: newId() }),
    'businesses.get': () => undefined,
    'businesses.update': () => ({ greeting: 'Hello' }),
    'businesses.numbers': () => undefined,
    'businesses.addNumber': () => ({ number: newNumber() }),
    'businesses.carrierNumbers': () => undefined,
    'businesses.connectNumber': () => ({ carrierId: 'PN1' }),
    'businesses.removeNumber': async () => ({
      numberId: (await owner.businesses.addNumber({ number: newNumber() })).id,
    }),
    'businesses.providers': () => undefined,
    'businesses.list': () => undefined,
    'businesses.create': () => ({ name: `Business ${++serial}` }),
    'businesses.block': async () => ({ id: await newBusiness(), reason: 'Fraud' }),
    'businesses.unblock': async () => {
      const blocked = await newBusiness()
      await owner.businesses.block({ id: blocked, reason: 'Fraud' })
      return { id: blocked }
    },
    'calls.list': () => ({}),
    'calls.get': () => ({ id: call }),
    'calls.summary': () => ({ id: call }),
    'calls.editSummary': () => ({ id: call, summary: 'Wants a quote.', fields: { name: 'Dana' } }),
    'calls.audio': () => ({ id: call }),
    'calls.moments': () => ({ id: call }),
    'calls.stats': () => ({}),
    'stats.calls': () => ({}),
    'stats.leads': () => ({}),
    'stats.messages': () => ({}),
    'stats.usage': () => ({}),
    'stats.businesses': () => undefined,
    'audit.list': () => ({}),
    'system.doctor': () => undefined,
    'system.backup': () => undefined,
    'recordings.list': () => ({}),
    'recordings.peaks': async () => ({ id: await newRecording() }),
    'recordings.mark': async () => ({ id: await newRecording(), heard: true }),
    'calls.replay': () => ({ id: call }),
    'calls.live': () => undefined,
    'calls.listen': () => ({ id: liveCall }),
    'calls.end': () => ({ id: liveCall }),
    'calls.transfer': () => ({ id: liveCall }),
    'calls.whisper': () => ({ id: liveCall, text: 'Ask for the address.' }),
    'receptionist.get': () => undefined,
    'receptionist.overnight': () => undefined,
    'receptionist.version': () => ({ version: 1 }),
    'receptionist.versions': () => undefined,
    'receptionist.preview': () => ({}),
    'receptionist.save': () => ({ settings: { instructions: 'Be brief.' } }),
    'receptionist.restore': () => ({ version: 1 }),
    'receptionist.draft': () => undefined,
    'receptionist.saveDraft': async () => ({
      revision: (await owner.receptionist.draft()).revision,
      settings: { instructions: 'Be warm.' },
    }),
    'receptionist.discardDraft': newDraft,
    'receptionist.rebaseDraft': newDraft,
    'receptionist.publishDraft': newDraft,
    'receptionist.forcePublish': newDraft,
    'receptionist.testChat': () => ({ texts: ['Hello'] }),
    'receptionist.previewAudio': () => ({ kind: 'greeting', language: 'en' }),
    'receptionist.testCall': () => ({}),
    'receptionist.texts': () => undefined,
    'receptionist.saveText': () => ({ title: `Text ${++serial}`, body: 'Hours' }),
    'receptionist.removeText': async () => ({ id: await newText() }),
    'appointments.list': () => ({}),
    'appointments.get': async () => ({ id: await newAppointment() }),
    'appointments.create': () => ({ startsAt: nextStart().toISOString(), minutes: 30, phone: phone() }),
    'appointments.book': async () => ({ id: await newAppointment() }),
    'appointments.move': async () => ({ id: await newAppointment(), startsAt: nextStart().toISOString() }),
    'appointments.noShow': async () => {
      const id = newId()
      const times = { startsAt: new Date(Date.now() - 3_600_000 * ++serial), endsAt: new Date() }
      await api.database.db.execute(sql`delete from appointments where ends_at < now()`)
      await insertAppointment(api.database.db, { id, businessId, ...times })
      return { id }
    },
    'waitingList.list': () => undefined,
    'waitingList.add': () => newWaiting(),
    'waitingList.cancel': async () => ({ id: (await owner.waitingList.add(newWaiting())).id }),
    'booking.slots': () => ({ from: '2090-01-01' }),
    'booking.services': () => undefined,
    'booking.saveService': () => newService(),
    'booking.orderServices': async () => ({ ids: [(await owner.booking.saveService(newService())).id] }),
    'booking.archiveService': async () => ({ id: (await owner.booking.saveService(newService())).id }),
    'booking.staff': () => undefined,
    'booking.saveStaff': () => ({ name: `Person ${++serial}` }),
    'booking.archiveStaff': async () => ({ id: (await owner.booking.saveStaff({ name: `Person ${++serial}` })).id }),
    'booking.absences': () => undefined,
    'booking.addAbsence': async () => newAbsence(),
    'booking.removeAbsence': async () => ({ id: (await owner.booking.addAbsence(await newAbsence())).id }),
    'booking.settings': () => undefined,
    'booking.texts': () => undefined,
    'booking.saveSettings': () => ({ stepMinutes: 15 }),
    'calendars.list': () => undefined,
    'calendars.get': async () => ({ id: (await newConnection()).connectionId }),
    'calendars.vendors': () => undefined,
    'calendars.connect': () => ({ kind: 'ics', url: 'http://127.0.0.1:2/dana.ics' }),
    'calendars.update': async () => ({ id: (await newConnection()).connectionId, onChange: 'apply' }),
    'calendars.remove': async () => ({ id: (await newConnection()).connectionId }),
    'calendars.sync': async () => ({ id: (await newConnection()).connectionId }),
    'calendars.conflicts': () => undefined,
    'calendars.decide': async () => ({ id: (await newConnection()).pushId, decision: 'keep' }),
    'calendars.feeds': () => undefined,
    'calendars.addFeed': () => ({}),
    'calendars.removeFeed': async () => ({ id: (await newConnection()).feedId }),
    'appointments.update': async () => ({ id: await newAppointment(), note: 'Kitchen' }),
    'appointments.restore': async () => ({ id: await newAppointment() }),
    'appointments.confirm': async () => ({ id: await newAppointment() }),
    'appointments.cancel': async () => ({ id: await newAppointment() }),
    'messages.list': () => ({}),
    'messages.get': () => ({ id: messageId }),
    'messages.react': async () => ({ id: await newLinkedMessage(), emoji: '👍' }),
    'messages.decide': async () => ({ id: await newUnknownMessage(), arrived: true }),
    'messages.templates': () => undefined,
    'messages.handle': async () => {
      const { id } = await owner.messages.send({ to: phone(), text: 'Hello', provider: 'twilio' })
      await api.database.db.update(messages).set({ status: 'failed' }).where(eq(messages.id, id))
      return { id, handled: true }
    },
    'messages.send': () => ({ to: phone(), text: 'Hello', provider: 'twilio' }),
    'contacts.list': () => ({}),
    'contacts.get': () => ({ id: contact }),
    'contacts.create': () => ({ phone: phone(), name: 'Dana' }),
    'contacts.update': () => ({ id: contact, name: 'Dana' }),
    'contacts.repair': () => ({}),
    'contacts.merge': async () => ({ id: contact, duplicateId: await newContact() }),
    'contacts.tag': () => ({ id: contact, add: ['vip'] }),
    'contacts.tags': () => undefined,
    'contacts.optOut': () => ({ id: contact, optedOut: false }),
    'contacts.notes': () => ({ id: contact }),
    'contacts.addNote': () => ({ id: contact, body: 'A note' }),
    'contacts.editNote': async () => ({ id: await newNote(), body: 'Another note' }),
    'contacts.removeNote': async () => ({ id: await newNote() }),
    'conversations.list': () => ({}),
    'conversations.get': () => ({ id: conversation.id }),
    'conversations.timeline': () => ({ contactId: contact }),
    'conversations.assign': () => ({ id: conversation.id, assigneeId: userId }),
    'conversations.close': () => ({ id: conversation.id }),
    'conversations.reopen': () => ({ id: conversation.id }),
    'conversations.snooze': () => ({ id: conversation.id, until: '2090-01-01T00:00:00Z' }),
    'conversations.mark': () => ({ id: conversation.id, unread: true }),
    'scenarios.list': () => undefined,
    'scenarios.save': () => ({ source: scenarioNamed(`scenario-${++serial}`) }),
    'scenarios.remove': async () => ({ id: await newScenario() }),
    'scenarios.require': () => ({ required: false }),
    'scenarios.run': async () => {
      await newScenario()
      return { draft: false }
    },
    'scenarios.runs': () => undefined,
    'agent.state': () => ({ id: conversation.id }),
    'agent.pause': () => ({ id: conversation.id }),
    'agent.resume': () => ({ id: conversation.id }),
    'agent.turnOff': () => ({ id: conversation.id }),
    'agent.answer': async () => ({ id: await newWaitingConversation() }),
    'agent.memory': () => ({ id: contact }),
    'agent.runs': () => ({ conversationId: conversation.id }),
    'agent.sendDraft': async () => ({ id: await newAgentDraft() }),
    'agent.discardDraft': async () => ({ id: await newAgentDraft() }),
    'agent.settings': () => undefined,
    'agent.saveSettings': () => ({ settleSeconds: 5 }),
    'knowledge.search': () => ({ query: 'hours' }),
    'knowledge.gaps': () => ({}),
    'knowledge.answerGap': async () => ({ id: await newGap(), answer: 'Yes.' }),
    'knowledge.dismissGap': async () => ({ id: await newGap() }),
    'knowledgeSources.list': () => ({}),
    'knowledgeSources.get': async () => ({ id: await newSource() }),
    'knowledgeSources.parts': async () => ({ id: await newSource() }),
    'knowledgeSources.pages': async () => ({ id: await newSource() }),
    'knowledgeSources.addFile': () => ({ upload: 'https://example.com/files/forged.token' }),
    'knowledgeSources.addSite': () => ({ url: 'https://example.com/' }),
    'knowledgeSources.read': async () => ({ id: await newSource() }),
    'knowledgeSources.stop': async () => ({ id: await newSource() }),
    'knowledgeSources.remove': async () => ({ id: await newSource() }),
    'catalogue.list': () => ({}),
    'catalogue.get': async () => ({ id: await newItem() }),
    'catalogue.save': () => ({ sku: 'A1', name: 'An item' }),
    'catalogue.update': async () => ({ id: await newItem(), state: 'sold' }),
    'catalogue.remove': async () => ({ id: await newItem() }),
    'catalogue.importFile': () => ({ csv: 'sku,name\nA2,Another\n' }),
    'leads.list': () => ({}),
    'leads.get': () => ({ id: lead }),
    'leads.board': () => ({}),
    'leads.column': () => ({ stage: 'new', cursor: lead }),
    'leads.history': () => ({ id: lead }),
    'leads.create': () => ({ contactId: contact, name: 'Dana' }),
    'leads.update': () => ({ id: lead, name: 'Dana' }),
    'leads.move': async () => ({ id: await newLead(), stage: 'won' }),
    'leads.remove': async () => ({ id: await newLead() }),
    'leads.stages': () => undefined,
    'leads.saveStages': async () => ({ stages: (await owner.leads.stages()).items }),
    'payments.list': () => ({}),
    'payments.get': () => ({ id: paymentId }),
    'payments.request': () => ({ contact, amount: 100, description: 'A repair', idempotencyKey: newId() }),
    'payments.refund': () => ({ id: paymentId }),
    'search.all': () => ({ q: 'Dana' }),
    'events.list': () => ({}),
    'events.stream': () => ({ lastEventId: event.id }),
    'imports.preview': () => ({ kind: 'contacts', csv: csv() }),
    'imports.create': () => ({ kind: 'contacts', csv: csv() }),
    'imports.get': () => ({ id: importId }),
    'imports.list': () => ({}),
    'imports.rejected': () => ({ id: importId }),
    'exports.csv': () => ({ kind: 'contacts' }),
    'push.key': () => undefined,
    'push.devices': () => undefined,
    'push.subscribe': async () => {
      await addDevice()
      return newDevice()
    },
    'push.change': async () => ({ id: (await addDevice()).id, kinds: ['lead'] }),
    'push.unsubscribe': async () => ({ id: (await addDevice()).id }),
    'push.test': async () => ({ id: (await addDevice()).id }),
    'push.settings': () => undefined,
    'push.saveSettings': () => ({ showText: false }),
    'alerts.kinds': () => undefined,
    'alerts.list': () => ({}),
    'alerts.get': () => ({ id: alert }),
    'alerts.take': async () => ({ id: await newAlert() }),
    'alerts.see': async () => ({ id: await newAlert() }),
    'alerts.deliveries': () => ({}),
    'alerts.mine': () => undefined,
    'alerts.saveMine': () => ({ quietFrom: '22:00', quietTo: '07:00' }),
    'alerts.sendCode': () => ({ way: 'sms' }),
    'alerts.confirmPhone': () => ({ code: '012345' }),
    'alerts.test': async () => {
      await addDevice()
      return { way: 'push' }
    },
    'alerts.members': () => undefined,
    'alerts.saveMember': async () => ({ userId: await api.addUser('viewer'), rules: { lead: ['push'] } }),
    'alerts.channels': () => undefined,
    'alerts.addChannel': async () => {
      await addChannel()
      return { target: channelTarget, label: 'Office', language: 'he' }
    },
    'alerts.changeChannel': async () => ({ id: (await addChannel()).id, enabled: false }),
    'alerts.removeChannel': async () => ({ id: (await addChannel()).id }),
    'alerts.testChannel': async () => ({ id: (await addChannel()).id }),
    'alerts.escalation': () => undefined,
    'alerts.saveEscalation': () => ({ steps: [{ userId: null, ways: ['push'], afterMinutes: 5 }], kinds: null }),
    'privacy.retention': () => undefined,
    'privacy.setRetention': () => ({ messageDays: 400, callDays: null, recordingDays: null }),
    'privacy.eraseContact': async () => ({ id: await newContact() }),
    'webhooks.list': () => ({}),
    'webhooks.create': () => ({ url: `https://example.com/${newId()}` }),
    'webhooks.update': () => ({ id: endpoint, description: 'Orders' }),
    'webhooks.remove': async () => ({ id: await newEndpoint() }),
    'webhooks.deliveries': () => ({ id: endpoint }),
    'webhooks.replay': () => ({ id: endpoint, eventId: event.id }),
    'quarantine.list': () => ({}),
    'quarantine.get': async () => ({ id: await newQuarantined() }),
    'quarantine.retry': async () => ({ id: await newQuarantined() }),
    'quarantine.retryAll': () => undefined,
    'quarantine.drop': async () => ({ id: await newQuarantined() }),
    'whatsapp.list': () => undefined,
    'whatsapp.get': () => ({ id: account }),
    'whatsapp.create': () => ({}),
    'whatsapp.link': async () => ({ id: await newAccount() }),
    'whatsapp.confirm': () => ({ id: account, phone: '+972501234567' }),
    'whatsapp.refuse': () => ({ id: account, phone: '+972501234567' }),
    'whatsapp.restart': async () => ({ id: await newAccount() }),
    'whatsapp.logout': async () => ({ id: await newAccount() }),
    'whatsapp.remove': async () => ({ id: await newAccount() }),
    'whatsapp.update': () => ({ id: account, gapMs: 500 }),
    'system.processes': () => undefined,
    'system.queues': () => undefined,
    'system.failedJobs': () => ({ queue: 'crm' }),
    'system.retryJobs': () => ({ queue: 'crm' }),
    'system.drainQueue': () => ({ queue: 'crm' }),
    'system.watchQueues': () => ({}),
  }
}
