import { hostname } from 'node:os'
import { join } from 'node:path'
import { createDatabase, type DatabaseHandle } from '../../db/client.ts'
import { publicUrl, WEBHOOKS } from '../access/urls.ts'
import type { Config, OpenAiEndpoint } from '../config.ts'
import type { DomainContext } from '../domain/context.ts'
import { createKeyring, type Keyring } from '../domain/credentials/index.ts'
import { insertEvents } from '../domain/inbox/index.ts'
import type { LinkDeps } from '../domain/members/index.ts'
import type { SendSettings } from '../domain/messages/index.ts'
import type { PaymentDeps } from '../domain/payments/index.ts'
import { beat, leave, type ProcessKind, processId } from '../domain/system/index.ts'
import type { PostOut } from '../domain/webhooks/index.ts'
import { createQueueBackend, type QueueBackend } from '../jobs/backend.ts'
import type { ConsumerMetrics } from '../jobs/consumer.ts'
import { createInbox, type Inbox } from '../jobs/inbox.ts'
import { createProducer, type Producer } from '../jobs/producer.ts'
import { createSpool } from '../jobs/spool.ts'
import { AppError, errorMessage } from '../lib/errors.ts'
import { restrictNewFiles } from '../lib/file-modes.ts'
import { createLogger, type Logger } from '../lib/log.ts'
import { createSecretBox, deriveKey, type SecretBox } from '../lib/secret-box.ts'
import { createMetrics, type Metrics } from '../observability/metrics.ts'
import type { Thumbnailer } from '../providers/images/port.ts'
import { createThumbnailer } from '../providers/images/sharp.ts'
import type { Mailer } from '../providers/mail/port.ts'
import { createSmtpMailer } from '../providers/mail/smtp.ts'
import { createOpenAiModel } from '../providers/models/openai.ts'
import type { TextModel } from '../providers/models/port.ts'
import { createPayPal } from '../providers/payments/paypal.ts'
import { createTranzila } from '../providers/payments/tranzila.ts'
import { createEmbeddedEngine } from '../providers/speech/embedded/engine.ts'
import { createEspeakSynthesizer } from '../providers/speech/espeak/synthesizer.ts'
import { createRealtimeEngine } from '../providers/speech/openai-realtime/engine.ts'
import { createOpenAiTranscriber, restBaseOf } from '../providers/speech/openai-realtime/transcriber.ts'
import type { SpeechEngine, Transcriber } from '../providers/speech/port.ts'
import { createPromptCache, type PromptCache } from '../providers/speech/prompts.ts'
import { createFileStorage } from '../providers/storage/file.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import { createS3Storage } from '../providers/storage/s3.ts'
import type { Carriers, Telephony } from '../providers/telephony/port.ts'
import { createTwilioTelephony } from '../providers/telephony/twilio.ts'
import { createPublicPost } from '../providers/webhooks/public-post.ts'
import { createMediaFetcher, createMediaProbe } from '../providers/whatsapp/media-by-url.ts'
import type { OpenLinkedAccount, ReadBridgeMessage, WhatsAppSender } from '../providers/whatsapp/port.ts'
import { createTwilioWhatsApp } from '../providers/whatsapp/twilio.ts'
import { readVersion } from '../version.ts'
import { createCarriers } from './carriers.ts'
import { perBusiness } from './per-business.ts'

/** Transcribes what was kept as audio. */
const TRANSCRIBER = 'gpt-transcribe'

/** What talks to callers. */
export type Speech = {
  /** The installation's. */
  engine: SpeechEngine
  standby: SpeechEngine | null
  /** Those of a business, by its setting and its keys; null where they are the installation's. */
  enginesOf(
    businessId: string,
    setting: 'default' | 'openai-realtime' | 'embedded',
  ): { engine: SpeechEngine; standby: SpeechEngine | null } | null
  prompts: PromptCache
  close(): Promise<void>
}

/** Everything a process works with, built from its settings: the only place where adapters are made. */
export type Deps = {
  config: Config
  /** This process, as its heartbeat names it. */
  processId: string
  log: Logger
  version: ReturnType<typeof readVersion>
  database: DatabaseHandle
  ctx: DomainContext
  backend: QueueBackend
  producer: Producer
  /** Takes what is acknowledged. */
  inbox: Inbox
  metrics: Metrics
  consumerMetrics: ConsumerMetrics
  storage: ObjectStorage
  thumbnailer: Thumbnailer
  /** The businesses' own keys, kept fresh in the processes that serve; elsewhere `refresh` reads them. */
  keyring: Keyring
  /** Fetches a file from an address that somebody named. @throws AppError, as `createMediaFetcher` says */
  fetchPublicMedia: ReturnType<typeof createMediaFetcher>
  /** Posts to addresses that tenants chose: public ones only, unless the settings say otherwise. */
  postOut: PostOut
  /** The installation's own Twilio account; null when it is not configured. */
  telephony: Telephony | null
  /** The installation's and those of businesses with keys of their own. */
  carriers: Carriers
  /** WhatsApp over Twilio, with what a business has; null where it has none. */
  twilioWhatsApp(businessId: string): WhatsAppSender | null
  /** WhatsApp accounts linked through Baileys. `mediaCa`: a certificate that media hosts may show besides public ones. */
  openLinkedAccounts(options: { mediaCa: string | null }): Promise<{ open: OpenLinkedAccount; box: SecretBox }>
  readBridgeMessage: ReadBridgeMessage
  payments: PaymentDeps
  /** Null where a business has none: what callers said stays kept as audio. */
  transcriber(businessId: string): Transcriber | null
  /** Null where a business has none: calls are summed up by rules. */
  model(businessId: string): TextModel | null
  sendSettings: SendSettings
  /** Null where no mail server is set. */
  mailer: Mailer | null
  /** Seals mail that waits. */
  mailBox: SecretBox
  /** Seals the secrets that sign webhooks. */
  webhookBox: SecretBox
  /** How invitations and resets reach people. */
  links: LinkDeps
  /** Opens the voice: only the process that speaks pays for its threads. */
  openSpeech(): Speech
  close(): Promise<void>
}

/**
 * Opens what one process needs.
 * @param kind which process: named in logs, heartbeats and the database's list of connections
 * @throws AppError `unavailable` when the queue does not answer at start
 */
export async function createDeps(config: Config, kind: ProcessKind | 'cli' | 'setup'): Promise<Deps> {
  restrictNewFiles()
  const log = createLogger(config.logLevel, { process: kind })
  if (config.database.kind === 'embedded')
    throw new AppError(
      'unavailable',
      'database_not_given',
      'DATABASE_URL is not set: start everything with ./start_all.sh, which brings a Postgres along, or set it.',
    )
  const version = readVersion()
  const databaseUrl = config.database.url
  const database = createDatabase(databaseUrl, {
    name: `agentlocator ${kind}`,
    max: kind === 'web' ? 16 : 12,
    prepare: kind === 'whatsapp',
  })
  const backend = await createQueueBackend(
    config.queue.kind === 'redis' ? config.queue : { kind: 'postgres', databaseUrl },
    { logger: log },
  )
  const metrics = createMetrics()
  const producer = createProducer(backend, log, {
    metrics: { jobEnqueued: (job, outcome) => metrics.jobsEnqueued.inc({ job, outcome }) },
  })
  metrics.gauge('outbox_depth', 'Jobs that wait in memory for the queue to come back', () => producer.outbox.depth)
  metrics.gauge('outbox_dropped', 'Jobs that the full outbox had to drop', () => producer.outbox.dropped)

  const inbox = createInbox({
    insert: (rows) => insertEvents({ db: database.db }, rows),
    producer,
    log,
    spool: kind === 'web' ? createSpool(join(config.dataDir, 'inbound-events'), log) : null,
    onAccepted: (job, how) => metrics.eventsAccepted.inc({ job, how }),
  })
  metrics.gauge(
    'events_unstored',
    'Acknowledged events that are not in the database or the queue yet',
    () => inbox.waiting,
  )

  const keyring = createKeyring(
    database.db,
    createSecretBox(deriveKey(config.sessionSecret, 'business credentials')),
    log,
  )
  if (kind !== 'cli' && kind !== 'setup') await keyring.start()

  const { twilio } = config
  const twilioOptions = twilio.kind === 'configured' ? twilio : null
  const { publicBaseUrl } = config
  const apiBaseUrl = config.endpoints.twilioApi
  const telephony = perBusiness(
    keyring,
    'twilio',
    twilioOptions && createTwilioTelephony({ ...twilioOptions, publicBaseUrl }),
    (keys) => createTwilioTelephony({ ...keys, apiBaseUrl, publicBaseUrl }),
  )
  const statusCallbackUrl = publicUrl(publicBaseUrl, WEBHOOKS.whatsappStatus)
  const whatsapp = perBusiness(
    keyring,
    'twilio',
    twilioOptions && createTwilioWhatsApp({ ...twilioOptions, statusCallbackUrl }),
    (keys) => createTwilioWhatsApp({ ...keys, apiBaseUrl, statusCallbackUrl }),
  )
  const fetchPublicMedia = createMediaFetcher({ allowPrivate: config.webhooksAllowPrivate, ownPorts: [config.port] })
  const sendSettings: SendSettings = {
    twilio(businessId) {
      const held = keyring.held(businessId, 'twilio')
      const used = held.kind === 'own' ? held.keys : held.kind === 'none' ? twilioOptions : null
      return {
        configured: used !== null,
        defaultSender: used?.whatsappFrom?.replace('whatsapp:', '') ?? null,
        own: held.kind === 'own',
      }
    },
    probeMedia: createMediaProbe({ allowPrivate: config.webhooksAllowPrivate, ownPorts: [config.port] }),
  }
  const baseUrl = restBaseOf(config.endpoints.openai.url)
  const transcriberOf = ({ apiKey }: { apiKey: string }) =>
    createOpenAiTranscriber({ baseUrl, apiKey, model: TRANSCRIBER })
  const modelOf = ({ apiKey }: { apiKey: string }) =>
    createOpenAiModel({ baseUrl, apiKey, model: config.endpoints.openai.textModel })
  const openai = config.speech.openai.kind === 'configured' ? config.speech.openai : null
  const mailBox = createSecretBox(deriveKey(config.sessionSecret, 'mail'))
  return {
    config,
    processId: processId({ kind, host: hostname(), pid: process.pid }),
    log,
    version,
    database,
    ctx: {
      db: database.db,
      enqueue: producer.enqueue,
      log,
      actor: { kind: 'system', id: kind },
      identityKey: deriveKey(config.sessionSecret, 'erased identities'),
    },
    backend,
    producer,
    inbox,
    metrics,
    consumerMetrics: {
      jobFinished: ({ job, outcome }) => metrics.jobs.inc({ job, outcome }),
      jobsRecovered: (queue, count) => metrics.jobs.inc({ job: queue, outcome: 'recovered' }, count),
    },
    fetchPublicMedia,
    storage:
      config.storage.kind === 's3' ? createS3Storage(config.storage) : createFileStorage(config.storage.directory),
    thumbnailer: createThumbnailer(),
    keyring,
    postOut: createPublicPost(config.webhooksAllowPrivate, { ownPorts: [config.port] }),
    telephony: telephony.installation,
    carriers: createCarriers(telephony),
    twilioWhatsApp: whatsapp.of,
    async openLinkedAccounts({ mediaCa }) {
      // Baileys takes a third of a second and 40 MB to load: only the process that holds sockets pays for it.
      const { BaileysAccount } = await import('../providers/whatsapp/baileys/account.ts')
      const { websocketUrl } = config.baileys
      const box = createSecretBox(deriveKey(config.sessionSecret, 'whatsapp accounts'))
      return {
        box,
        open: (options) =>
          new BaileysAccount({ ...options, box, log, websocketUrl, mediaCa, fetchMedia: fetchPublicMedia }),
      }
    },
    async readBridgeMessage(message) {
      // Loaded with the first message of a bridge: most installations have none.
      const { readBridgeMessage } = await import('../providers/whatsapp/baileys/bridge.ts')
      return readBridgeMessage(message)
    },
    transcriber: perBusiness(keyring, 'openai', openai && transcriberOf(openai), transcriberOf).of,
    model: perBusiness(keyring, 'openai', openai && modelOf(openai), modelOf).of,
    sendSettings,
    mailer: config.mail ? createSmtpMailer(config.mail) : null,
    mailBox,
    webhookBox: createSecretBox(deriveKey(config.sessionSecret, 'webhook secrets')),
    links: createLinks(config, mailBox),
    payments: paymentDeps(config, database, keyring, sendSettings),
    openSpeech() {
      const synthesizer = createEspeakSynthesizer()
      const prompts = createPromptCache({ dir: join(config.dataDir, 'prompts'), synthesizer, log })
      const embedded = createEmbeddedEngine({ prompts })
      const opened: SpeechEngine[] = []
      const openRemote = (options: OpenAiEndpoint & { apiKey: string }) => {
        const made = createRealtimeEngine({ ...options, settings: { turnDetection: options.turnDetection } })
        opened.push(made)
        return made
      }
      const chosen = config.speech.engine === 'openai-realtime' && openai ? openRemote(openai) : null
      // Only a business that asks for it talks through the key of an installation that does not itself.
      let other: SpeechEngine | null = null
      const installation = () => {
        if (!chosen && openai) other ??= openRemote({ ...openai, spare: false })
        return chosen ?? other
      }
      const own = perBusiness(keyring, 'openai', null, ({ apiKey, model }) => {
        const { openai } = config.endpoints
        // Keys may be replaced: nothing of the old ones is kept open for a next call.
        return openRemote({ ...openai, apiKey, model: model ?? openai.model, spare: false })
      })
      return {
        engine: chosen ?? embedded,
        standby: chosen ? embedded : null,
        enginesOf(businessId, setting) {
          const { kind } = keyring.held(businessId, 'openai')
          if (kind === 'none' && setting === 'default') return null
          const remote = setting === 'embedded' ? null : kind === 'none' ? installation() : own.ownOf(businessId)
          return remote ? { engine: remote, standby: embedded } : { engine: embedded, standby: null }
        },
        prompts,
        async close() {
          for (const engine of opened) await engine.close()
          await embedded.close()
          await synthesizer.close()
        },
      }
    },
    async close() {
      keyring.stop()
      await inbox.close()
      await producer.close()
      await backend.close()
      await database.close()
    },
  }
}

/** Where people set a password or accept an invitation, and whether mail takes them there. */
function createLinks({ publicBaseUrl, mail }: Config, mailBox: SecretBox): LinkDeps {
  return {
    url: (page, token) => publicUrl(publicBaseUrl, `/admin/${page}/${token}`),
    mailBox: mail ? mailBox : null,
  }
}

function paymentDeps(config: Config, database: DatabaseHandle, keyring: Keyring, messages: SendSettings): PaymentDeps {
  const { paypal, tranzila, publicBaseUrl, endpoints } = config
  const page = (id: string, rest = '') => publicUrl(publicBaseUrl, `/pay/${id}${rest}`)
  const tenders = {
    paypal: perBusiness(keyring, 'paypal', paypal.kind === 'configured' ? createPayPal(paypal) : null, (keys) =>
      createPayPal({ ...keys, apiBaseUrl: endpoints.paypalApi, account: keys.clientId }),
    ),
    tranzila: perBusiness(
      keyring,
      'tranzila',
      tranzila.kind === 'configured' ? createTranzila(tranzila) : null,
      (keys) => createTranzila({ ...keys, ...endpoints.tranzila, account: keys.terminal }),
    ),
  }
  return {
    providersOf: (businessId) => ({ paypal: tenders.paypal.of(businessId), tranzila: tenders.tranzila.of(businessId) }),
    async accountOf(businessId, name, account) {
      const till = tenders[name]
      if (account === null) return till.installation
      const own = till.ownOf(businessId)
      if (own?.account === account) return own
      // Perhaps set a moment ago in another process. An app of the same merchant under a new name sees the same orders.
      await keyring.refresh()
      return till.ownOf(businessId)
    },
    installation: { paypal: tenders.paypal.installation, tranzila: tenders.tranzila.installation },
    ownAccounts: (name) => tenders[name].own().map(({ adapter }) => adapter),
    urls: {
      page: (id) => page(id),
      returned: (id) => page(id, '/return'),
      canceled: (id) => page(id, '/cancel'),
      notify: (provider) => publicUrl(publicBaseUrl, WEBHOOKS[provider]),
    },
    messages,
    pool: database.sql,
  }
}

const BEAT_MS = 5_000

/** Tells every replica that this process lives; stopped, it says goodbye. */
export async function startHeartbeat(deps: Deps, kind: ProcessKind): Promise<{ stop(): Promise<void> }> {
  const self = { kind, host: hostname(), pid: process.pid, version: deps.version.version }
  const tell = () =>
    beat(deps.ctx, self).catch((error: unknown) =>
      deps.log.warn({ error: errorMessage(error) }, 'the heartbeat could not be written'),
    )
  await tell()
  const timer = setInterval(tell, BEAT_MS)
  return {
    async stop() {
      clearInterval(timer)
      await leave(deps.ctx, self)
    },
  }
}
