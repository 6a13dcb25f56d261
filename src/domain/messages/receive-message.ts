import type { InboundMessage } from '../../jobs/registry.ts'
import { redactCards } from '../../lib/cards.ts'
import { isOvertaken } from '../../lib/errors.ts'
import { cleanDeep } from '../../lib/text.ts'
import { readConsentWord } from '../contacts/index.ts'
import type { BusinessContext } from '../context.ts'
import { type ChangedMessage, takeDeletion } from './change-message.ts'
import { receiveMessageFastPath } from './receive-message-fast-path.ts'
import { countsAsUnread, type ReceiveOptions, receiveMessageInSteps } from './receive-message-steps.ts'

/**
 * Takes whatever a provider brought: a message, or an edit or deletion of one (`kind` says so, `replyTo` of which), which may
 * come before the message itself. Brought any number of times, it is one row or one change.
 * @throws AppError `person_erased` when it is of before the person was erased
 */
export async function takeInbound(
  ctx: BusinessContext,
  message: InboundMessage,
  how: ReceiveOptions = {},
): Promise<void> {
  if (message.kind === 'deletion' && message.replyTo)
    await takeDeletion(ctx, changeOf(message, message.replyTo, how.own === true))
  else await receiveMessage(ctx, message, how)
}

/**
 * Writes an inbound message with contact, conversation and media as one row, however often and from where it comes. Consent
 * words are applied; an edit whose message is missing stands alone. @returns its id @throws AppError `person_erased`
 */
export async function receiveMessage(
  ctx: BusinessContext,
  message: InboundMessage,
  how: ReceiveOptions = {},
): Promise<string> {
  const clean = cleanDeep(message)
  // The number of a payment card is not kept.
  const input = { ...clean, body: redactCards(clean.body) }
  const asked = {
    consents: !how.own && !how.history && !how.group && readConsentWord(input.body) !== null,
    change: input.kind === 'edit' && input.replyTo ? changeOf(input, input.replyTo, how.own === true) : null,
  }
  if (!how.own && !asked.consents && !asked.change && input.media.length === 0) {
    const written = await receiveMessageFastPath(ctx, input, {
      id: how.id,
      isNew: !how.history,
      isUnread: !how.history && countsAsUnread(input),
    }).catch((error: unknown) => {
      // Another process wrote it meanwhile, or merged the contact; the steps below find out.
      if (isOvertaken(error)) return null
      throw error
    })
    if (written) return written
  }
  return await receiveMessageInSteps(ctx, input, how, asked)
}

function changeOf(message: InboundMessage, target: string, own: boolean): ChangedMessage {
  const author = authorOf(message.data?.author)
  return {
    provider: message.provider,
    accountId: message.accountId ?? null,
    direction: own ? 'out' : 'in',
    providerMessageId: target,
    contact: message.from,
    ...(author ? { author } : {}),
    at: new Date(message.at),
    text: message.kind === 'deletion' ? null : message.body,
  }
}

function authorOf(author: unknown): ChangedMessage['author'] {
  if (typeof author !== 'object' || author === null) return null
  const field = (name: string) => {
    const value: unknown = Reflect.get(author, name)
    return typeof value === 'string' ? value : null
  }
  return { phone: field('phone'), lid: field('lid') }
}
