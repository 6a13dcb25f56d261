import { hostname } from 'node:os'
import { createDatabase, type DatabaseHandle } from '../../db/client.ts'
import { publicUrl } from '../access/urls.ts'
import type { Config } from '../config.ts'
import type { DomainContext } from '../domain/context.ts'
import { createKeyring, type Keyring } from '../domain/credentials/index.ts'
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
import type { Thumbnailer } from '../providers/images/port.ts'
import { createThumbnailer } from '../providers/images/sharp.ts'
import type { Mailer } from '../providers/mail/port.ts'
import { createSmtpMailer } from '../providers/mail/smtp.ts'
import type { TextModel } from '../providers/models/port.ts'
import type { Transcriber } from '../providers/speech/port.ts'
import { createFileStorage } from '../providers/storage/file.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import { createS3Storage } from '../providers/storage/s3.ts'
import type { Carriers, Telephony } from '../providers/telephony/port.ts'
import { createPublicPost } from '../providers/webhooks/public-post.ts'
import { createMediaFetcher } from '../providers/whatsapp/media-by-url.ts'
import type { ReadBridgeMessage, TemplateSource, WhatsAppSender } from '../providers/whatsapp/port.ts'
import { readVersion } from '../version.ts'
import { createBaileys, type OpenLinkedAccounts } from './baileys.ts'
import { createOpenAiRest } from './openai.ts'
import { createPayments } from './payments.ts'
import { createPush } from './push.ts'
import { createQueue } from './queue.ts'
import { createSpeech, type Speech } from './speech.ts'
import { createSendSettings, createTwilio } from './twilio.ts'
import { createFileSource, createUploads } from './uploads.ts'

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
  /** Accepts events that were acknowledged to their senders. */
  inbox: Inbox
  metrics: Metrics
  consumerMetrics: ConsumerMetrics
  storage: ObjectStorage
  /** Links of files that were uploaded to be sent. */
  uploads: UploadLinks
  thumbnailer: Thumbnailer
  /** The businesses' own keys; refreshed regularly in web servers and workers, elsewhere by `refresh`. */
  keyring: Keyring
  /** Fetches a file from an address that a request named. @throws AppError, see `createMediaFetcher` */
  fetchPublicMedia: ReturnType<typeof createMediaFetcher>
  /** Posts to addresses that tenants chose: public ones only, unless the settings allow others. */
  postOut: PostOut
  /** The installation's own Twilio account; null when it is not configured. */
  telephony: Telephony | null
  /** The installation's Twilio account and those of businesses with keys of their own. */
  carriers: Carriers
  /** WhatsApp over Twilio with the keys of a business; null where it has none. */
  twilioWhatsApp(businessId: string): (WhatsAppSender & TemplateSource) | null
  openLinkedAccounts: OpenLinkedAccounts
  readBridgeMessage: ReadBridgeMessage
  payments: PaymentDeps
  /** Null where a business has none: turns that were stored as audio are not transcribed. */
  transcriber(businessId: string): Transcriber | null
  /** Null where a business has none: calls are summarized by rules. */
  model(businessId: string): TextModel | null
  sendSettings: SendSettings
  /** Null where no mail server is set. */
  mailer: Mailer | null
  /** Seals queued mail. */
  mailBox: SecretBox
  /** Seals the secrets that sign webhooks. */
  webhookBox: SecretBox
  /** Notifies the devices of members. */
  push: PushDeps
  /** Builds and sends the links of invitations and password resets. */
  links: LinkDeps
  /** Opens the speech engines: called by the process that serves calls, since they hold threads and connections. */
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
    postOut: createPublicPost(config.webhooksAllowPrivate, { ownPorts: outgoing.ownPorts }),
    ...createTwilio(config, keyring),
    ...createBaileys(config, log, createFileSource(uploads, storage, fetchPublicMedia)),
    ...createOpenAiRest(config, keyring),
    payments: createPayments(config, database, keyring, sendSettings),
    sendSettings,
    mailer: config.mail ? createSmtpMailer(config.mail) : null,
    mailBox,
    webhookBox: boxOf('webhook secrets'),
    push: createPush(config),
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

function requireDatabaseUrl({ database }: Config): string {
  if (database.kind === 'external') return database.url
  throw new AppError(
    'unavailable',
    'database_not_given',
    'DATABASE_URL is not set. Start everything with ./start_all.sh, which runs a Postgres of its own, or set it.',
  )
}
