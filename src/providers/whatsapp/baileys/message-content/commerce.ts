import type { proto } from '@whiskeysockets/baileys'
import type { InboundContent } from '../../port.ts'
import { type Reading, type ReadNested, shown } from './decision.ts'
import { fileOf } from './files.ts'
import { dateOf, idOf, jsonOf, labelOf, linesOf, listOf, numberOf, recordOf, textOf, wordsOf } from './text.ts'

function minorOf(thousandths: unknown): number | null {
  const number = numberOf(thousandths)
  return number === null || !Number.isSafeInteger(Math.round(number)) ? null : Math.round(number / 10)
}

/** `{value, offset}`: the amount multiplied by the offset. */
function minorOfMoney(money: { value?: unknown; offset?: unknown } | null | undefined): number | null {
  const value = numberOf(money?.value)
  const offset = numberOf(money?.offset) || 1
  if (value === null) return null
  const minor = Math.round((value * 100) / offset)
  return Number.isSafeInteger(minor) ? minor : null
}

function currencyOf(code: unknown): string | null {
  return typeof code === 'string' && /^[A-Za-z]{3}$/.test(code) ? code.toUpperCase() : null
}

export function readOrder(node: proto.Message.IOrderMessage): Reading {
  const quantity = numberOf(node.itemCount)
  const title = labelOf(node.orderTitle)
  return {
    content: {
      kind: 'order',
      text: linesOf(title, textOf(node.message)),
      orderId: labelOf(node.orderId),
      // An order carries only the number of its items.
      items: quantity === null ? [] : [{ id: null, name: title ?? 'items', quantity, amount: null }],
      total: minorOf(node.totalAmount1000),
      currency: currencyOf(node.totalCurrencyCode),
    },
    context: node.contextInfo ?? null,
  }
}

/** An order or bill in native-flow form; null when the message holds none. */
export function readOrderDetails(node: proto.Message.IInteractiveMessage): InboundContent | null {
  for (const { buttonParamsJson } of listOf(node.nativeFlowMessage?.buttons)) {
    const params = jsonOf(buttonParamsJson)
    const order = recordOf(params?.order)
    if (!params || !order || !Array.isArray(order.items)) continue
    return {
      kind: 'order',
      text: linesOf(textOf(node.header?.title), textOf(node.body?.text), textOf(node.footer?.text)),
      orderId: labelOf(params.reference_id),
      items: listOf<unknown>(order.items).map((item) => {
        const { retailer_id, product_id, name, quantity, amount } = recordOf(item) ?? {}
        return {
          id: labelOf(retailer_id ?? product_id),
          name: labelOf(name),
          quantity: numberOf(quantity),
          amount: minorOfMoney(recordOf(amount)),
        }
      }),
      total: minorOfMoney(recordOf(params.total_amount)),
      currency: currencyOf(params.currency),
    }
  }
  return null
}

export function readProduct(node: proto.Message.IProductMessage): Reading {
  const { product, catalog, body, footer, contextInfo } = node
  const image = product?.productImage ?? catalog?.catalogImage
  const price = product?.salePriceAmount1000 ?? product?.priceAmount1000
  return {
    content: {
      kind: 'product',
      text: linesOf(
        labelOf(product?.title ?? catalog?.title),
        textOf(product?.description ?? catalog?.description),
        textOf(body),
        labelOf(footer),
      ),
      id: labelOf(product?.productId ?? product?.retailerId),
      amount: minorOf(price),
      currency: currencyOf(product?.currencyCode),
      url: labelOf(product?.url ?? product?.signedUrl, 2_000),
      ...(image && { media: [fileOf('image', image)] }),
    },
    context: contextInfo ?? null,
  }
}

export function readInvoice(node: proto.Message.IInvoiceMessage): Reading {
  const isPicture = node.attachmentType !== 1
  const media = fileOf(isPicture ? 'image' : 'document', {
    mimetype: node.attachmentMimetype ?? (isPicture ? 'image/jpeg' : 'application/pdf'),
    mediaKey: node.attachmentMediaKey ?? null,
    directPath: node.attachmentDirectPath ?? null,
    fileSha256: node.attachmentFileSha256 ?? null,
    jpegThumbnail: node.attachmentJpegThumbnail ?? null,
  })
  return { content: { kind: 'media', media: [media], text: textOf(node.note) } }
}

export function readPayment(
  type: 'payment_sent' | 'payment_request',
  node: proto.Message.ISendPaymentMessage & proto.Message.IRequestPaymentMessage,
  nested: ReadNested,
): Reading {
  const note = node.noteMessage ? nested(node.noteMessage) : null
  const amount = minorOfMoney(node.amount) ?? minorOf(node.amount1000)
  const currency = currencyOf(node.amount?.currencyCode ?? node.currencyCodeIso4217)
  const sum = amount === null ? null : `${(amount / 100).toFixed(2)} ${currency ?? ''}`.trim()
  return shown(type, linesOf(sum, note && wordsOf(note)), idOf(node.requestMessageKey?.id))
}

export function readEvent(node: proto.Message.IEventMessage): Reading {
  const place = linesOf(labelOf(node.location?.name), labelOf(node.location?.address))
  return {
    content: {
      kind: 'event',
      name: labelOf(node.name) ?? '',
      description: linesOf(textOf(node.description), labelOf(node.joinLink, 2_000)) || null,
      startsAt: dateOf(node.startTime, 'seconds'),
      endsAt: dateOf(node.endTime, 'seconds'),
      place: place || null,
      ...(node.isCanceled && { cancelled: true }),
    },
    context: node.contextInfo ?? null,
  }
}

export function readScheduledCall(node: proto.Message.IScheduledCallCreationMessage): Reading {
  return {
    content: {
      kind: 'event',
      name: labelOf(node.title) ?? '',
      description: null,
      startsAt: dateOf(node.scheduledTimestampMs, 'milliseconds'),
      endsAt: null,
      place: null,
    },
  }
}

export function readPoll(node: proto.Message.IPollCreationMessage): Reading {
  return {
    content: {
      kind: 'poll',
      question: textOf(node.name),
      options: listOf(node.options).map(({ optionName }) => textOf(optionName, 1_000)),
      // 0 means no limit.
      selectable: numberOf(node.selectableOptionsCount) || null,
    },
    context: node.contextInfo ?? null,
  }
}

export function readPollResult(node: proto.Message.IPollResultSnapshotMessage): Reading {
  const votes = listOf(node.pollVotes).map(
    ({ optionName, optionVoteCount }) => `${textOf(optionName, 1_000)}: ${numberOf(optionVoteCount) ?? 0}`,
  )
  return {
    content: { kind: 'unsupported', type: 'poll_result', text: linesOf(textOf(node.name), ...votes) },
    context: node.contextInfo ?? null,
  }
}
