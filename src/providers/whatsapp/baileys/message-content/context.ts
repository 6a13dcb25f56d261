import type { proto } from '@whiskeysockets/baileys'
import type { InboundExtras } from '../../port.ts'
import { jidToLid, jidToPhone } from '../jids.ts'
import type { ReadNested } from './decision.ts'
import { idOf, labelOf, listOf, numberOf, textOf, wordsOf } from './text.ts'

const QUOTE_MAX = 4_000

export function readContext(
  context: proto.IContextInfo,
  nested: ReadNested,
): { replyTo: string | null; extras: InboundExtras } {
  const score = numberOf(context.forwardingScore)
  const quoted = context.quotedMessage ? nested(context.quotedMessage) : null
  const words = quoted ? textOf(wordsOf(quoted), QUOTE_MAX) : ''
  const mentions = listOf(context.mentionedJid).flatMap((jid) => jidToPhone(jid) ?? jidToLid(jid) ?? [])
  const referral = readReferral(context)
  const extras: InboundExtras = {
    ...((context.isForwarded || score) && { forwarded: true }),
    ...(score && { forwardScore: score }),
    ...(referral && { referral }),
    ...(words && { quoted: words }),
    ...(mentions.length > 0 && { mentions: [...new Set(mentions)] }),
  }
  return { replyTo: idOf(context.stanzaId), extras }
}

function readReferral(context: proto.IContextInfo): InboundExtras['referral'] | null {
  const { externalAdReply: ad, quotedAd } = context
  if (ad && (ad.sourceId || ad.sourceUrl || ad.ctwaClid || ad.sourceType))
    return {
      sourceType: labelOf(ad.sourceType),
      sourceId: labelOf(ad.sourceId),
      url: labelOf(ad.sourceUrl, 2_000),
      headline: labelOf(ad.title),
      body: textOf(ad.body, QUOTE_MAX) || labelOf(ad.greetingMessageBody),
      mediaUrl: labelOf(ad.mediaUrl || ad.originalImageUrl || ad.thumbnailUrl, 2_000),
      clickId: labelOf(ad.ctwaClid),
    }
  const conversion = labelOf(context.conversionSource) ?? labelOf(context.entryPointConversionExternalSource)
  if (!conversion && !quotedAd) return null
  return {
    sourceType: conversion ?? 'ad',
    sourceId: null,
    url: null,
    headline: labelOf(quotedAd?.advertiserName),
    body: labelOf(quotedAd?.caption),
    mediaUrl: null,
    clickId: null,
  }
}
