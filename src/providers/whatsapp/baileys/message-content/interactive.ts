import type { proto } from '@whiskeysockets/baileys'
import type { InboundMedia, OfferedChoice } from '../../port.ts'
import { readOrderDetails } from './commerce.ts'
import type { Reading } from './decision.ts'
import { fileOf } from './files.ts'
import { findWords, jsonOf, labelOf, linesOf, listOf, recordOf, textOf } from './text.ts'

type Titled = {
  documentMessage?: proto.Message.IDocumentMessage | null
  imageMessage?: proto.Message.IImageMessage | null
  videoMessage?: proto.Message.IVideoMessage | null
  locationMessage?: proto.Message.ILocationMessage | null
}
type Offer = {
  text: string
  header?: string | null
  footer?: string | null
  choices?: OfferedChoice[]
  media?: InboundMedia[]
  context?: proto.IContextInfo | null | undefined
}

function offer({ text, header, footer, choices = [], media = [], context }: Offer): Reading {
  return {
    content: {
      kind: 'interactive',
      text,
      header: header ?? null,
      footer: footer ?? null,
      choices: choices.filter((choice) => choice.text || choice.id || choice.url),
      ...(media.length > 0 && { media }),
    },
    context: context ?? null,
  }
}

function titleOf(node: Titled): { header: string | null; media: InboundMedia[] } {
  const { documentMessage, imageMessage, videoMessage, locationMessage } = node
  const header =
    textOf(documentMessage?.caption ?? imageMessage?.caption ?? videoMessage?.caption) ||
    linesOf(labelOf(locationMessage?.name), labelOf(locationMessage?.address))
  const media = [
    ...(documentMessage ? [fileOf('document', documentMessage)] : []),
    ...(imageMessage ? [fileOf('image', imageMessage)] : []),
    ...(videoMessage ? [fileOf('video', videoMessage)] : []),
  ]
  return { header: header || null, media }
}

function choice(id: unknown, text: unknown, more: { description?: unknown; url?: unknown } = {}): OfferedChoice {
  const description = labelOf(more.description)
  const url = labelOf(more.url, 2_000)
  return { id: labelOf(id), text: labelOf(text) ?? '', ...(description && { description }), ...(url && { url }) }
}

export function readButtons(node: proto.Message.IButtonsMessage): Reading {
  const title = titleOf(node)
  return offer({
    text: textOf(node.contentText),
    header: linesOf(textOf(node.text), title.header) || null,
    footer: labelOf(node.footerText),
    media: title.media,
    choices: listOf(node.buttons).flatMap(({ buttonId, buttonText, nativeFlowInfo }) =>
      nativeFlowInfo
        ? nativeFlowChoices(nativeFlowInfo.name, nativeFlowInfo.paramsJson)
        : [choice(buttonId, buttonText?.displayText)],
    ),
    context: node.contextInfo,
  })
}

export function readList(node: proto.Message.IListMessage): Reading {
  const rows = listOf(node.sections).flatMap((section) =>
    listOf(section.rows).map((row) => choice(row.rowId, row.title, { description: row.description })),
  )
  const products = listOf(node.productListInfo?.productSections).flatMap((section) =>
    listOf(section.products).map(({ productId }) => choice(productId, section.title ?? productId)),
  )
  return offer({
    text: textOf(node.description),
    header: labelOf(node.title),
    footer: linesOf(labelOf(node.buttonText), labelOf(node.footerText)) || null,
    choices: [...rows, ...products],
    context: node.contextInfo,
  })
}

export function readTemplate(node: proto.Message.ITemplateMessage): Reading {
  const { hydratedFourRowTemplate, hydratedTemplate, fourRowTemplate, interactiveMessageTemplate, contextInfo } = node
  const hydrated = hydratedFourRowTemplate ?? hydratedTemplate
  if (hydrated) {
    const title = titleOf(hydrated)
    return offer({
      text: textOf(hydrated.hydratedContentText),
      header: linesOf(textOf(hydrated.hydratedTitleText), title.header) || null,
      footer: labelOf(hydrated.hydratedFooterText),
      media: title.media,
      choices: listOf(hydrated.hydratedButtons).map(hydratedButton),
      context: contextInfo,
    })
  }
  if (fourRowTemplate) {
    const title = titleOf(fourRowTemplate)
    return offer({
      text: structuredText(fourRowTemplate.content),
      header: linesOf(structuredText(fourRowTemplate.highlyStructuredMessage), title.header) || null,
      footer: structuredText(fourRowTemplate.footer) || null,
      media: title.media,
      choices: listOf(fourRowTemplate.buttons).map(templateButton),
      context: contextInfo,
    })
  }
  if (interactiveMessageTemplate) return readInteractive(interactiveMessageTemplate, contextInfo)
  return offer({ text: findWords(node), context: contextInfo })
}

function hydratedButton(button: proto.IHydratedTemplateButton): OfferedChoice {
  const { quickReplyButton, urlButton, callButton } = button
  if (urlButton) return choice(null, urlButton.displayText, { url: urlButton.url })
  if (callButton)
    return choice(null, callButton.displayText, { url: callButton.phoneNumber && `tel:${callButton.phoneNumber}` })
  return choice(quickReplyButton?.id, quickReplyButton?.displayText)
}

function templateButton(button: proto.ITemplateButton): OfferedChoice {
  const { quickReplyButton, urlButton, callButton } = button
  if (urlButton) return choice(null, structuredText(urlButton.displayText), { url: structuredText(urlButton.url) })
  if (callButton) return choice(null, structuredText(callButton.displayText))
  return choice(quickReplyButton?.id, structuredText(quickReplyButton?.displayText))
}

/** The text of a message that the reader's phone composes from a catalogue: its parameters. */
export function structuredText(node: proto.Message.IHighlyStructuredMessage | null | undefined): string {
  if (!node) return ''
  const hydrated = node.hydratedHsm ? readTemplate(node.hydratedHsm) : null
  if (hydrated && 'content' in hydrated && hydrated.content.kind === 'interactive') return hydrated.content.text
  const params =
    listOf(node.params).length > 0 ? listOf(node.params) : listOf(node.localizableParams).map((p) => p.default)
  return linesOf(...params.map((param) => textOf(param))) || textOf(node.elementName)
}

export function readStructured(node: proto.Message.IHighlyStructuredMessage): Reading {
  if (node.hydratedHsm) return readTemplate(node.hydratedHsm)
  return { content: { kind: 'text', text: structuredText(node) } }
}

export function readInteractive(
  node: proto.Message.IInteractiveMessage,
  context: proto.IContextInfo | null | undefined = node.contextInfo,
): Reading {
  const order = readOrderDetails(node)
  if (order) return { content: order, context: context ?? null }
  const cards = listOf(node.carouselMessage?.cards)
  const parts = [node, ...cards]
  const media = parts.flatMap(({ header, footer }) => [
    ...titleOf(header ?? {}).media,
    ...(footer?.audioMessage ? [fileOf('audio', footer.audioMessage)] : []),
    ...(header?.productMessage?.product?.productImage
      ? [fileOf('image', header.productMessage.product.productImage)]
      : []),
  ])
  const shop = node.shopStorefrontMessage ?? node.collectionMessage
  return offer({
    text: linesOf(textOf(node.body?.text), ...cards.map(cardText)),
    header: headerText(node.header) || null,
    footer: textOf(node.footer?.text) || null,
    media,
    choices: [
      ...parts.flatMap(({ nativeFlowMessage }) =>
        listOf(nativeFlowMessage?.buttons).flatMap((button) => nativeFlowChoices(button.name, button.buttonParamsJson)),
      ),
      ...(shop?.id ? [choice(shop.id, 'Shop')] : []),
    ],
    context,
  })
}

function headerText(header: proto.Message.InteractiveMessage.IHeader | null | undefined): string {
  if (!header) return ''
  const product = header.productMessage?.product
  return linesOf(textOf(header.title), textOf(header.subtitle), titleOf(header).header, labelOf(product?.title))
}

function cardText(card: proto.Message.IInteractiveMessage): string {
  return linesOf(headerText(card.header), textOf(card.body?.text), textOf(card.footer?.text))
}

/** The buttons behind one native-flow button: itself, or the rows of the list that it opens. */
function nativeFlowChoices(name: string | null | undefined, paramsJson: string | null | undefined): OfferedChoice[] {
  const params = jsonOf(paramsJson)
  const sections = Array.isArray(params?.sections) ? listOf<unknown>(params.sections) : []
  const rows = sections.flatMap((section) => {
    const list = recordOf(section)?.rows
    return Array.isArray(list) ? listOf<unknown>(list) : []
  })
  const label = params?.display_text ?? params?.title ?? params?.text ?? name
  const link =
    params?.url ?? params?.merchant_url ?? (typeof params?.phone_number === 'string' && `tel:${params.phone_number}`)
  const own = choice(params?.id ?? params?.copy_code ?? params?.flow_id ?? null, label, { url: link })
  return [
    own,
    ...listOf(rows).map((row) => {
      const { id, title, header, description } = recordOf(row) ?? {}
      return choice(id, title ?? header, { description })
    }),
  ]
}

export function readButtonsResponse(node: proto.Message.IButtonsResponseMessage): Reading {
  const id = labelOf(node.selectedButtonId)
  return {
    content: { kind: 'choice', text: textOf(node.selectedDisplayText) || (id ?? ''), id, source: 'button' },
    context: node.contextInfo ?? null,
  }
}

export function readTemplateReply(node: proto.Message.ITemplateButtonReplyMessage): Reading {
  const id = labelOf(node.selectedId)
  return {
    content: { kind: 'choice', text: textOf(node.selectedDisplayText) || (id ?? ''), id, source: 'template' },
    context: node.contextInfo ?? null,
  }
}

export function readListResponse(node: proto.Message.IListResponseMessage): Reading {
  const id = labelOf(node.singleSelectReply?.selectedRowId)
  const description = textOf(node.description) || null
  return {
    content: { kind: 'choice', text: textOf(node.title) || description || (id ?? ''), id, description, source: 'list' },
    context: node.contextInfo ?? null,
  }
}

/** Reads the answer to a native-flow message: a button, a row, or the fields of a form. */
export function readInteractiveResponse(node: proto.Message.IInteractiveResponseMessage): Reading {
  const { name, paramsJson } = node.nativeFlowResponseMessage ?? {}
  const params = jsonOf(paramsJson)
  const answers = jsonOf(params?.response_json) ?? recordOf(params?.response_json)
  const isForm = name === 'flow' || answers !== null || params?.flow_token !== undefined
  const id = labelOf(params?.id ?? params?.selected_id ?? params?.row_id ?? null)
  const label = textOf(params?.display_text ?? params?.title)
  const text = textOf(node.body?.text) || label || formText(answers ?? (isForm ? params : null)) || id || textOf(name)
  const data = answers ?? params ?? (paramsJson ? { text: textOf(paramsJson) } : null)
  const source = isForm
    ? 'flow'
    : /list|select/i.test(name ?? '')
      ? 'list'
      : name === 'quick_reply'
        ? 'button'
        : 'other'
  const description = labelOf(params?.description) ?? (label && label !== text ? label : null)
  return {
    content: { kind: 'choice', text, id, description, source, ...(data && { data: boundedData(data) }) },
    context: node.contextInfo ?? null,
  }
}

/** Fields of a completed form, one per line; internal fields are left out. */
function formText(fields: Record<string, unknown> | null): string {
  return linesOf(
    ...Object.entries(fields ?? {})
      .filter(([name]) => !/token|version|^wa_|^id$/i.test(name))
      .slice(0, 100)
      .map(
        ([name, value]) =>
          `${textOf(name, 100)}: ${textOf(typeof value === 'object' ? JSON.stringify(value) : String(value), 2_000)}`,
      ),
  )
}

/** The machine-readable part of an answer, unless it is too large to store. */
function boundedData(data: Record<string, unknown>): unknown {
  const text = JSON.stringify(data)
  return text.length <= 32_768 ? data : { text: textOf(text, 32_768) }
}
