import { hostname } from 'node:os'
import { createDatabase, type DatabaseHandle } from '../../db/client.ts'
import { CALENDARS, publicUrl } from '../access/urls.ts'
import type { Config } from '../config.ts'
import type { AlertDeps } from '../domain/alerts/index.ts'
import { type BookingLinks, createBookingLinks, type NoticeDeps } from '../domain/appointments/index.ts'
import { type CalendarDeps, createFeedLinks, createLiveCheck, type FeedLinks } from '../domain/calendars/index.ts'
import type { DomainContext } from '../domain/context.ts'
import { createKeyring, type Keyring } from '../domain/credentials/index.ts'
import type { SourceDeps } from '../domain/knowledge/index.ts'
import type { LinkDeps } from '../domain/members/index.ts'
import type { SendSettings, UploadLinks } from '../domain/messages/index.ts'
import type { PaymentDeps } from '../domain/payments/index.ts'
import type { PushDeps } from '../domain/push/index.ts'
import { type ProcessKind, processId } from '../domain/system/index.ts'
import type { PostOut } from '../domain/webhooks/index.ts'
import type { QueueBackend } from '../jobs/backend.ts'
import type { ConsumerMetrics } from '../jobs/consumer.ts'
import type { Inbox } from '../jobs/inbox.ts'
import type { Producer } from '../jobs/producer.ts'
import { AppError } from '../lib/errors.ts'
import { restrictNewFiles } from '../lib/file-modes.ts'
import { createLogger, type Logger } from '../lib/log.ts'
import { createSecretBox, deriveKey, type SecretBox } from '../lib/secret-box.ts'
import { createMetrics, type Metrics } from '../observability/metrics.ts'
import { type IcsEvent, writeIcs } from '../providers/calendars/ics.ts'
import type { Thumbnailer } from '../providers/images/port.ts'
import { createThumbnailer } from '../providers/images/sharp.ts'
import type { Mailer } from '../providers/mail/port.ts'
import { createSmtpMailer } from '../providers/mail/smtp.ts'
import type { TextModels, VoiceNoteTranscriber } from '../providers/models/port.ts'
import type { Transcriber } from '../providers/speech/port.ts'
import { createFileStorage } from '../providers/storage/file.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import { createS3Storage } from '../providers/storage/s3.ts'
import type { Carriers, Telephony } from '../providers/telephony/port.ts'
import { createPing } from '../providers/webhooks/ping.ts'
import { createPublicPost } from '../providers/webhooks/public-post.ts'
import { createMediaFetcher } from '../providers/whatsapp/media-by-url.ts'
import type { ReadBridgeMessage, TemplateSource, WhatsAppSender } from '../providers/whatsapp/port.ts'
import { readVersion } from '../version.ts'
import { createAlerts } from './alerts.ts'
import { createBaileys, type OpenLinkedAccounts } from './baileys.ts'
import { createCalendars } from './calendars.ts'
import { createModels, type ModelAdmin } from './models.ts'
import { createNotices } from './notices.ts'
import { createPayments } from './payments.ts'
import { createPush } from './push.ts'
import { createQueue } from './queue.ts'
import { createSources } from './sources.ts'
import { createSpeech, type Speech } from './speech.ts'
import { createTranscribers } from './transcribers.ts'
import { createSendSettings, createTwilio } from './twilio.ts'
import { createFileSource, createUploads } from './uploads.ts'

export type Deps = {
  config: Config
  processId: string
  log: Logger
  version: ReturnType<typeof readVersion>
  database: DatabaseHandle
  ctx: DomainContext
  backend: QueueBackend
  producer: Producer
  inbox: Inbox
  metrics: Metrics
  consumerMetrics: ConsumerMetrics
  storage: ObjectStorage
  uploads: UploadLinks
  thumbnailer: Thumbnailer
  /** The businesses' own keys; refreshed regularly in web servers and workers, elsewhere by `refresh`. */
  keyring: Keyring
  /** Fetches a file from an address that a request named. @throws AppError, see `createMediaFetcher` */
  fetchPublicMedia: ReturnType<typeof createMediaFetcher>
  /** Posts to addresses that tenants chose: public ones only, unless the settings allow others. */
  postOut: PostOut
  telephony: Telephony | null
  carriers: Carriers
  twilioWhatsApp(businessId: string): (WhatsAppSender & TemplateSource) | null
  openLinkedAccounts: OpenLinkedAccounts
  readBridgeMessage: ReadBridgeMessage
  payments: PaymentDeps
  /** Null where a business has none: turns that were stored as audio are not transcribed. */
  transcriber(businessId: string): Transcriber | null
  /** Where a business has none, rules answer and summarize. */
  models: TextModels
  voiceNotes: VoiceNoteTranscriber
  /** What members see and check of models. */
  modelAdmin: ModelAdmin
  sendSettings: SendSettings
  mailer: Mailer | null
  mailBox: SecretBox
  webhookBox: SecretBox
  push: PushDeps
  /** The links by which customers see, move and cancel their appointments. */
  bookingLinks: BookingLinks
  /** What customers are notified of their appointments with. */
  notices: NoticeDeps
  /** Calendars outside. */
  calendars: CalendarDeps
  sources: SourceDeps
  /** Feeds of appointments: their addresses, and their text. */
  calendarFeeds: { links: FeedLinks; write(events: IcsEvent[], name: string): string }
  /** What members are notified with. */
  alerts: AlertDeps
  /** Requests HEARTBEAT_URL; null where none is set. */
  pingHeartbeat: (() => Promise<void>) | null
  /** Builds and sends the links of invitations and password resets. */
  links: LinkDeps
  /** Opens the speech engines: called by the process that serves calls, since they hold threads and connections. */
  openSpeech(): Speech
  close(): Promise<void>
}

/**
 * Opens what a process of `kind` needs; logs and heartbeats name it. @throws AppError `unavailable` when the queue is down
 * at start
 */
export async function createDeps(config: Config, kind: ProcessKind | 'cli' | 'setup'): Promise<Deps> {
  restrictNewFiles()
  const databaseUrl = requireDatabaseUrl(config)
  const log = createLogger(config.logLevel, { process: kind })
  const metrics = createMetrics()
  const boxOf = (purpose: string) => createSecretBox(deriveKey(config.sessionSecret, purpose))
  const database = createDatabase(databaseUrl, {
    name: `agentlocator ${kind}`,
    max: kind === 'web' ? 16 : 12,
    prepare: kind === 'whatsapp',
  })
  const queue = await createQueue({ config, databaseUrl, database, log, metrics, spools: kind === 'web' })
  const keyring = createKeyring(database.db, boxOf('business credentials'), log)
  if (kind !== 'cli' && kind !== 'setup') await keyring.start()

  const outgoing = { allowPrivate: config.webhooksAllowPrivate, ownPorts: [config.port] }
  const fetchPublicMedia = createMediaFetcher(outgoing)
  const uploads = createUploads(config)
  const sendSettings = createSendSettings(config, keyring, uploads)
  const storage =
    config.storage.kind === 's3' ? createS3Storage(config.storage) : createFileStorage(config.storage.directory)
  const mailBox = boxOf('mail')
  const mailer = config.mail ? createSmtpMailer(config.mail) : null
  const postOut = createPublicPost(config.webhooksAllowPrivate, { ownPorts: outgoing.ownPorts })
  const twilio = createTwilio(config, keyring)
  const push = createPush(config)
  const calendars = createCalendars(config, database)
  const payments = createPayments(config, database, keyring, sendSettings)
  const bookingLinks = createBookingLinks(config.sessionSecret, publicUrl(config.publicBaseUrl, '/book'))
  return {
    config,
    processId: processId({ kind, host: hostname(), pid: process.pid }),
    log,
    version: readVersion(),
    database,
    ctx: {
      db: database.db,
      enqueue: queue.producer.enqueue,
      log,
      actor: { kind: 'system', id: kind },
      identityKey: deriveKey(config.sessionSecret, 'erased identities'),
      refreshCalendars: createLiveCheck(calendars),
    },
    ...queue,
    metrics,
    consumerMetrics: {
      jobFinished: ({ job, outcome }) => metrics.jobs.inc({ job, outcome }),
      jobsRecovered: (name, count) => metrics.jobs.inc({ job: name, outcome: 'recovered' }, count),
    },
    storage,
    uploads,
    thumbnailer: createThumbnailer(),
    keyring,
    fetchPublicMedia,
    postOut,
    ...twilio,
    ...createBaileys(config, log, createFileSource(uploads, storage, fetchPublicMedia)),
    ...createTranscribers(config, keyring),
    ...createModels(config, keyring, database.db, log),
    payments,
    sendSettings,
    mailer,
    mailBox,
    webhookBox: boxOf('webhook secrets'),
    bookingLinks,
    notices: createNotices(config, { bookingLinks, payments, carriers: twilio.carriers, messages: sendSettings }),
    calendars,
    sources: createSources(config, storage),
    calendarFeeds: createCalendarFeeds(config),
    push,
    alerts: createAlerts(config, { push, mailer, post: postOut, carriers: twilio.carriers, settings: sendSettings }),
    pingHeartbeat: config.heartbeatUrl ? createPing(config.heartbeatUrl, [config.port]) : null,
    links: {
      url: (page, token) => publicUrl(config.publicBaseUrl, `/admin/${page}/${token}`),
      mailBox: config.mail ? mailBox : null,
    },
    openSpeech: () => createSpeech(config, keyring, log),
    async close() {
      keyring.stop()
      await queue.inbox.close()
      await queue.producer.close()
      await queue.backend.close()
      await database.close()
    },
  }
}

/** How often calendar programs are asked to read a feed again. */
const FEED_MINUTES = 60

function createCalendarFeeds({ sessionSecret, publicBaseUrl }: Config): Deps['calendarFeeds'] {
  return {
    links: createFeedLinks(sessionSecret, publicUrl(publicBaseUrl, `${CALENDARS}/feed`)),
    write: (events, name) => writeIcs(events, { name, refreshMinutes: FEED_MINUTES }),
  }
}

function requireDatabaseUrl({ database }: Config): string {
  if (database.kind === 'external') return database.url
  throw new AppError(
    'unavailable',
    'database_not_given',
    'DATABASE_URL is not set. Start everything with ./start_all.sh, which runs a Postgres of its own, or set it.',
  )
}
