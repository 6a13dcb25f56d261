import { and, desc, eq, gt, isNotNull, isNull, lt, or } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { mails } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import type { SecretBox } from '../../lib/secret-box.ts'
import type { Mailer } from '../../providers/mail/port.ts'
import type { DomainContext } from '../context.ts'
import { jobId } from '../job-ids.ts'

const content = z.object({ to: z.string(), subject: z.string(), text: z.string(), html: z.string() })
export type MailContent = z.infer<typeof content>

/** With the job's backoff, about a day. */
const MAX_ATTEMPTS = 30
/** A mail that was never tried, and one that was left alone for longer than its job's longest pause, have lost their job. */
const NEVER_TRIED_MS = 2 * 60_000
const LONGEST_PAUSE_MS = 2 * 3_600_000
/** An attempt that neither sent its mail nor wrote an error for this long has died: SMTP's own limits are shorter. */
const CLAIM_MS = 5 * 60_000

/** Writes a mail that is to be sent, in the transaction of what it is about. Then call `enqueueMail`. */
export async function queueMail(
  tx: Executor,
  box: SecretBox,
  mail: { kind: 'invitation' | 'password_reset'; subjectId: string; expiresAt: Date; content: MailContent },
): Promise<string> {
  const id = newId()
  await tx.insert(mails).values({
    id,
    kind: mail.kind,
    subjectId: mail.subjectId,
    expiresAt: mail.expiresAt,
    sealed: box.seal(JSON.stringify(mail.content), placeOf(id)),
  })
  return id
}

/** A queue that is away is no failure: the sweep puts the mail back. */
export async function enqueueMail(ctx: DomainContext, id: string): Promise<void> {
  try {
    await ctx.enqueue('mail.send', { mailId: id }, { jobId: jobId('mail', id) })
  } catch (error) {
    if (!(error instanceof AppError && error.kind === 'unavailable')) throw error
    ctx.log.warn({ mailId: id, code: error.code }, 'mail waits for the queue')
  }
}

export async function mailStateOf(ctx: Pick<DomainContext, 'db'>, subjectId: string) {
  const [row] = await ctx.db
    .select({ state: mails.state })
    .from(mails)
    .where(eq(mails.subjectId, subjectId))
    .orderBy(desc(mails.id))
    .limit(1)
  return row?.state ?? null
}

export async function cancelMails(tx: Executor, subjectId: string): Promise<void> {
  await tx
    .update(mails)
    .set({ state: 'failed', sealed: '', error: 'canceled' })
    .where(and(eq(mails.subjectId, subjectId), eq(mails.state, 'pending')))
}

/**
 * Sends one mail. Sent, ended, out of date or being sent by another run, it does nothing.
 * @throws AppError `mail_unavailable` when it is worth trying again
 */
export async function sendMail(
  ctx: DomainContext,
  id: string,
  deps: { mailer: Mailer | null; box: SecretBox },
): Promise<'sent' | 'failed' | 'done'> {
  const claim = await claimMail(ctx, id)
  if (!claim) return 'done'
  const { attempts, earlierError, mail } = claim
  const write = (changes: Partial<typeof mails.$inferInsert>) =>
    ctx.db
      .update(mails)
      .set(changes)
      .where(and(eq(mails.id, id), eq(mails.state, 'pending'), eq(mails.attempts, attempts)))
  const end = async (error: string) => {
    await write({ state: 'failed', sealed: '', error })
    ctx.log.warn({ mailId: id, kind: mail.kind, reason: error }, 'mail given up')
    return 'failed' as const
  }
  if (mail.expiresAt < new Date()) return await end('expired before it could be sent')
  if (attempts > MAX_ATTEMPTS) return await end(earlierError ?? 'tried too often')
  try {
    if (!deps.mailer)
      throw new AppError(
        'unavailable',
        'mail_unavailable',
        'No mail server is set: SMTP_URL and MAIL_FROM are missing.',
      )
    const sealed = content.parse(JSON.parse(deps.box.open(mail.sealed, placeOf(id))))
    await deps.mailer.send({ id, ...sealed })
  } catch (error) {
    if (error instanceof AppError && error.kind !== 'unavailable') return await end(error.message)
    await write({ error: error instanceof AppError ? error.message : 'failed unexpectedly' })
    throw error
  }
  await write({ state: 'sent', sealed: '', error: null, sentAt: new Date() })
  return 'sent'
}

/** Takes a mail for one attempt; null when it is not pending or another run is sending it. */
async function claimMail(ctx: DomainContext, id: string) {
  const [row] = await ctx.db.select().from(mails).where(eq(mails.id, id))
  if (row?.state !== 'pending') return null
  const [mail] = await ctx.db
    .update(mails)
    .set({ attempts: row.attempts + 1, error: null })
    .where(
      and(
        eq(mails.id, id),
        eq(mails.state, 'pending'),
        eq(mails.attempts, row.attempts),
        // An attempt that ended wrote its error.
        or(eq(mails.attempts, 0), isNotNull(mails.error), lt(mails.updatedAt, ago(CLAIM_MS))),
      ),
    )
    .returning()
  return mail ? { attempts: mail.attempts, earlierError: row.error, mail } : null
}

/** Puts mails back whose job is lost. @returns how many */
export async function requeueMails(ctx: DomainContext): Promise<number> {
  const rows = await ctx.db
    .select({ id: mails.id, attempts: mails.attempts })
    .from(mails)
    .where(
      and(
        eq(mails.state, 'pending'),
        or(
          and(eq(mails.attempts, 0), lt(mails.updatedAt, ago(NEVER_TRIED_MS))),
          and(gt(mails.attempts, 0), isNull(mails.error), lt(mails.updatedAt, ago(CLAIM_MS))),
          lt(mails.updatedAt, ago(LONGEST_PAUSE_MS)),
        ),
      ),
    )
    .orderBy(mails.updatedAt)
    .limit(200)
  for (const { id, attempts } of rows)
    await ctx.enqueue('mail.send', { mailId: id }, { jobId: jobId('mail', id, ...(attempts === 0 ? [] : [attempts])) })
  return rows.length
}

function ago(ms: number): Date {
  return new Date(Date.now() - ms)
}

function placeOf(id: string): string {
  return `mail:${id}`
}
