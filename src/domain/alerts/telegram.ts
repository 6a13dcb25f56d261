import { eq } from 'drizzle-orm'
import { z } from 'zod'
import { alertChannels, alertDeliveries } from '../../../db/schema/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import { secretsEqual } from '../../lib/ids.ts'
import { type DomainContext, within } from '../context.ts'
import { openTarget } from './channels.ts'
import type { AlertDeps } from './deliver.ts'
import { takeIncident } from './incidents.ts'
import { WORDS } from './texts.ts'

/** What Telegram sends when a button of a message is pressed (Bot API: Update, CallbackQuery). */
const update = z.object({
  callback_query: z
    .object({
      id: z.string().min(1).max(64),
      data: z.string().max(64).optional(),
      message: z.object({ message_id: z.int(), chat: z.object({ id: z.int() }) }).optional(),
    })
    .optional(),
})
const pressed = /^(done|call_back):([0-9a-f-]{36})$/

/** An answer in the webhook's own answer: Telegram takes the method call from there (Bot API: Making requests when getting updates). */
type TelegramAnswer = { method: 'answerCallbackQuery'; callback_query_id: string; text: string }

/**
 * Takes the press of a button under an alert, from the chat that got it. Pressed twice, it stays with the first.
 * @param secret of the header `X-Telegram-Bot-Api-Secret-Token`
 * @returns `forbidden` when the channel is none with buttons or the secret is not its own; null when there is nothing to answer
 */
export async function takeTelegramUpdate(
  ctx: DomainContext,
  channelId: string,
  secret: string,
  body: unknown,
  deps: Pick<AlertDeps, 'box' | 'post' | 'telegramApi' | 'now'>,
): Promise<TelegramAnswer | 'forbidden' | null> {
  const [channel] = await ctx.db.select().from(alertChannels).where(eq(alertChannels.id, channelId))
  const target = channel ? openTarget(channel, deps.box) : null
  if (!channel || !target || !('token' in target) || !target.secret || !secretsEqual(target.secret, secret))
    return 'forbidden'
  const query = update.safeParse(body).data?.callback_query
  if (!query) return null
  const words = WORDS[channel.language]
  const answer = (text: string): TelegramAnswer => ({
    method: 'answerCallbackQuery',
    callback_query_id: query.id,
    text,
  })
  const [, reply, deliveryId = ''] = pressed.exec(query.data ?? '') ?? []
  const [delivery] = z.uuid().safeParse(deliveryId).success
    ? await ctx.db.select().from(alertDeliveries).where(eq(alertDeliveries.id, deliveryId))
    : []
  // Another channel of the same bot may have sent it: a bot has one webhook.
  const [sender] = delivery?.channelId
    ? await ctx.db.select().from(alertChannels).where(eq(alertChannels.id, delivery.channelId))
    : []
  const from = sender ? openTarget(sender, deps.box) : null
  const isOwn =
    from &&
    'token' in from &&
    from.token === target.token &&
    sender?.businessId === channel.businessId &&
    (from.chatId.startsWith('@') || from.chatId === String(query.message?.chat.id))
  if (!delivery?.incidentId || !isOwn || !reply) return answer(words.notThere)
  const business = within(ctx, channel.businessId)
  const isTaken = await takeIncident(
    business,
    delivery.incidentId,
    { by: null, how: 'telegram', answer: reply === 'call_back' ? 'call_back' : 'done' },
    deps.now(),
  )
  await removeButtons(ctx, from, query.message, deps)
  return answer(isTaken ? words.thanks : words.notThere)
}

/** A button that has done its work goes; when that fails, a second press is answered as well. */
async function removeButtons(
  ctx: DomainContext,
  { token }: { token: string },
  message: { message_id: number; chat: { id: number } } | undefined,
  { post, telegramApi }: Pick<AlertDeps, 'post' | 'telegramApi'>,
): Promise<void> {
  if (!message) return
  const body = { chat_id: message.chat.id, message_id: message.message_id, reply_markup: { inline_keyboard: [] } }
  try {
    await post(`${telegramApi}/bot${token}/editMessageReplyMarkup`, JSON.stringify(body), {
      'Content-Type': 'application/json',
    })
  } catch (error) {
    ctx.log.warn({ error: errorMessage(error) }, 'the buttons of a Telegram message stay')
  }
}
