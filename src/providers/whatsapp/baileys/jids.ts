import { type JidServer, jidDecode, jidEncode } from '@whiskeysockets/baileys'

/** Only people and groups have conversations here. */
export type JidKind = 'person' | 'lid' | 'group' | 'list' | 'status' | 'channel' | 'bot' | 'service' | 'unknown'

/** Every server of WhatsApp's addresses, as Baileys types them. */
export const JID_SERVERS: { readonly [Server in JidServer]: JidKind } = {
  's.whatsapp.net': 'person',
  'c.us': 'person',
  /** A business whose devices are hosted by another company: the same number. */
  hosted: 'person',
  lid: 'lid',
  'hosted.lid': 'lid',
  'g.us': 'group',
  broadcast: 'list',
  newsletter: 'channel',
  bot: 'bot',
  call: 'service',
}

const PHONE = /^\d{6,15}$/
const LID = /^[\w-]{1,64}$/
/** Meta's assistants have addresses that look like numbers. */
const ASSISTANT = /^(1313555\d{4}|131655500\d{2})$/

export function kindOfJid(jid: string | null | undefined): JidKind {
  const decoded = jid ? jidDecode(jid) : undefined
  if (!decoded) return 'unknown'
  if (jid === 'status@broadcast') return 'status'
  const kind = Object.hasOwn(JID_SERVERS, decoded.server) ? JID_SERVERS[decoded.server] : 'unknown'
  if (kind !== 'person') return kind
  // WhatsApp's own announcements come from the number 0.
  if (decoded.user === '0' || decoded.user === 'server') return 'service'
  return ASSISTANT.test(decoded.user) ? 'bot' : 'person'
}

export function phoneToJid(e164: string): string {
  return jidEncode(e164.replace(/\D/g, ''), 's.whatsapp.net')
}

/** E.164 of a phone-number JID of any kind; null for a LID and everything else, which must never be shown as a number. */
export function jidToPhone(jid: string | null | undefined): string | null {
  if (!jid || kindOfJid(jid) !== 'person') return null
  const user = jidDecode(jid)?.user
  return user && PHONE.test(user) ? `+${user}` : null
}

/** The LID of a JID, as `…@lid` without its device; null when it has none. */
export function jidToLid(jid: string | null | undefined): string | null {
  if (!jid || kindOfJid(jid) !== 'lid') return null
  const user = jidDecode(jid)?.user
  return user && LID.test(user) ? jidEncode(user, 'lid') : null
}

export function isJidGroup(jid: string | null | undefined): boolean {
  return kindOfJid(jid) === 'group'
}

/** Status updates, channels, assistants and WhatsApp's announcements are not conversations. */
export function isPublicJid(jid: string): boolean {
  const kind = kindOfJid(jid)
  return kind === 'status' || kind === 'channel' || kind === 'bot' || kind === 'service'
}
