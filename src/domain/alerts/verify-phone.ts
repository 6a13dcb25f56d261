import { randomInt } from 'node:crypto'
import { and, eq, gt, isNull, sql } from 'drizzle-orm'
import { z } from 'zod'
import { alertMembers, auditLog } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { secretsEqual, sha256Hex } from '../../lib/ids.ts'
import { getBusiness, listPhoneNumbers } from '../businesses/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { ALERT_KEY, hideForAlerts } from '../conversations/index.ts'
import { requestMessage } from '../messages/index.ts'
import type { AlertDeps } from './deliver.ts'
import { WORDS } from './texts.ts'

/** By which a code is sent. */
export const CODE_WAYS = ['sms', 'whatsapp'] as const
export const phoneCode = z
  .string()
  .trim()
  .regex(/^\d{6}$/, 'six digits')

const CODE_LIVES_MS = 10 * 60_000
/** Another code is sent after this. */
const AGAIN_MS = 60_000
/** Each costs money, and may ring at a stranger's. */
const PER_DAY = 20
const TRIES = 5

/** The settings of a member with their number and its code. */
const own = (ctx: BusinessContext, userId: string | null) =>
  and(
    eq(alertMembers.businessId, ctx.businessId),
    userId === null ? isNull(alertMembers.userId) : eq(alertMembers.userId, userId),
  )

/**
 * Sends a code to the number that a member gave; with it the member proves that the number is theirs.
 * @throws AppError `no_phone`, `phone_verified`, `too_many_codes`, `telephony_not_configured`, `no_number`, those of `requestMessage`
 *   and of the carrier
 */
export async function sendPhoneCode(
  ctx: BusinessContext,
  userId: string | null,
  way: (typeof CODE_WAYS)[number],
  deps: Pick<AlertDeps, 'carrierOf' | 'settings'>,
  now: Date,
): Promise<void> {
  const code = String(randomInt(1_000_000)).padStart(6, '0')
  const business = await getBusiness(ctx)
  const member = await ctx.db.transaction(async (tx) => {
    const [row] = await tx.select().from(alertMembers).where(own(ctx, userId)).for('update')
    if (!row?.phone) throw new AppError('invalid', 'no_phone', 'Give your number first.', { field: 'phone' })
    if (row.phoneVerifiedAt) throw new AppError('conflict', 'phone_verified', 'This number is verified already.')
    const day = new Date(now.getTime() - 24 * 3_600_000)
    const sent = await tx.$count(
      auditLog,
      and(
        eq(auditLog.businessId, ctx.businessId),
        eq(auditLog.action, 'alert.phone_code'),
        gt(auditLog.createdAt, day),
      ),
    )
    if ((row.phoneCodeAt && now.getTime() - row.phoneCodeAt.getTime() < AGAIN_MS) || sent >= PER_DAY)
      throw new AppError('rate_limited', 'too_many_codes', 'A code was sent just now. Wait a little, then ask again.')
    await tx
      .update(alertMembers)
      .set({ phoneCode: fingerprint(row.id, row.phone, code), phoneCodeAt: now, phoneCodeTries: 0 })
      .where(eq(alertMembers.id, row.id))
    const data = { way }
    await audit(tx, ctx, { action: 'alert.phone_code', entity: 'alert_member', entityId: userId ?? 'machine', data })
    return { id: row.id, phone: row.phone, language: row.language }
  })
  const text = WORDS[member.language].code(business.name, code)
  if (way === 'whatsapp') {
    const idempotencyKey = `${ALERT_KEY}code:${member.id}:${now.getTime()}`
    const request = { to: member.phone, text, idempotencyKey }
    await requestMessage(ctx, request, deps.settings, null, (tx, written) => hideForAlerts(tx, ctx, written))
    return
  }
  const carrier = deps.carrierOf(ctx.businessId)
  if (!carrier)
    throw new AppError('conflict', 'telephony_not_configured', 'Twilio is not configured for this business.')
  const [first] = await listPhoneNumbers(ctx)
  if (!first) throw new AppError('conflict', 'no_number', 'The business has no number to send from.')
  await carrier.sendText({ from: first.e164, to: member.phone, text })
}

/**
 * Takes the code that a member got; from then on alerts go to the number.
 * @throws AppError `code_wrong`: also of one that is over or was guessed at too often
 */
export async function confirmPhone(
  ctx: BusinessContext,
  userId: string | null,
  code: string,
  now: Date,
): Promise<void> {
  const isRight = await ctx.db.transaction(async (tx) => {
    const [row] = await tx.select().from(alertMembers).where(own(ctx, userId)).for('update')
    if (!row?.phone) return false
    if (row.phoneVerifiedAt) return true
    const lives = row.phoneCodeAt && now.getTime() - row.phoneCodeAt.getTime() < CODE_LIVES_MS
    if (!row.phoneCode || !lives || row.phoneCodeTries >= TRIES) return false
    const right = secretsEqual(row.phoneCode, fingerprint(row.id, row.phone, code))
    await tx
      .update(alertMembers)
      .set(
        right
          ? { phoneVerifiedAt: now, phoneCode: null, phoneCodeAt: null, phoneCodeTries: 0 }
          : { phoneCodeTries: sql`${alertMembers.phoneCodeTries} + 1` },
      )
      .where(eq(alertMembers.id, row.id))
    if (right)
      await audit(tx, ctx, { action: 'alert.phone_verify', entity: 'alert_member', entityId: userId ?? 'machine' })
    return right
  })
  if (!isRight)
    throw new AppError('invalid', 'code_wrong', 'This is not the code, or it is over. Ask for another one.', {
      field: 'code',
    })
}

const fingerprint = (id: string, phone: string, code: string) => sha256Hex(`${id}:${phone}:${code}`)
