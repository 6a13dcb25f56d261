import type { BusinessContext } from '../domain/context.ts'
import { fetchMessageMedia } from '../domain/messages/index.ts'
import { pendingFiles } from '../domain/whatsapp/index.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { SecretBox } from '../lib/secret-box.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import { type LinkedAccount, WHATSAPP_MEDIA_SCHEME } from '../providers/whatsapp/port.ts'

const RETRY_MS = 60_000

export type MediaDownloadDeps = {
  box: SecretBox
  storage: ObjectStorage
  log: Logger
  /** null while the account is not connected. */
  connected(): LinkedAccount | null
}

export class MediaDownloads {
  private readonly ctx: BusinessContext
  private readonly accountId: string
  private readonly deps: MediaDownloadDeps
  private running = false
  private again = false
  private stopped = false
  private timer: ReturnType<typeof setTimeout> | null = null
  private readonly retryAt = new Map<string, number>()

  constructor(ctx: BusinessContext, accountId: string, deps: MediaDownloadDeps) {
    this.ctx = ctx
    this.accountId = accountId
    this.deps = deps
  }

  async run(): Promise<void> {
    if (this.running) {
      // Files that arrived after the list was read are on the next list.
      this.again = true
      return
    }
    this.running = true
    this.again = false
    try {
      for (const { id } of await pendingFiles(this.ctx, this.accountId)) {
        const account = this.deps.connected()
        if (this.stopped || !account) return
        if ((this.retryAt.get(id) ?? 0) <= Date.now()) await this.download(account, id)
      }
    } catch (error) {
      this.deps.log.warn({ reason: errorMessage(error) }, 'pending media not read')
    } finally {
      this.running = false
    }
    if (this.again && !this.stopped) void this.run()
  }

  stop(): void {
    this.stopped = true
    if (this.timer) clearTimeout(this.timer)
  }

  seal(url: string): string {
    return WHATSAPP_MEDIA_SCHEME + this.deps.box.seal(url, this.sealContext())
  }

  private async download(account: LinkedAccount, id: string): Promise<void> {
    try {
      const source = { downloadMedia: (url: string, max: number) => account.downloadMedia(this.unseal(url), max) }
      await fetchMessageMedia(this.ctx, id, source, this.deps.storage)
      this.retryAt.delete(id)
    } catch (error) {
      this.retryAt.set(id, Date.now() + RETRY_MS)
      this.timer ??= setTimeout(() => {
        this.timer = null
        void this.run()
      }, RETRY_MS + 100)
      this.deps.log.warn({ mediaId: id, reason: errorMessage(error) }, 'media download failed; it will be retried')
    }
  }

  private unseal(url: string): string {
    return this.deps.box.open(url.slice(WHATSAPP_MEDIA_SCHEME.length), this.sealContext())
  }

  private sealContext(): string {
    return `media:${this.accountId}`
  }
}
