import {
  isJidBroadcast,
  isJidGroup,
  isJidNewsletter,
  isLidUser,
  isPnUser,
  jidDecode,
  jidEncode,
  jidNormalizedUser,
} from '@whiskeysockets/baileys'

/** JID of a phone number in E.164. */
export function phoneToJid(e164: string): string {
  return jidEncode(e164.replace(/\D/g, ''), 's.whatsapp.net')
}

/** E.164 of a phone-number JID; null for a LID and everything else, which must never be shown as a number. */
export function jidToPhone(jid: string | null | undefined): string | null {
  if (!jid || !isPnUser(jid)) return null
  const user = jidDecode(jid)?.user
  return user && /^\d{6,15}$/.test(user) ? `+${user}` : null
}

/** The LID in a JID, without its device; null when it is none. */
export function jidToLid(jid: string | null | undefined): string | null {
  return jid && isLidUser(jid) ? jidNormalizedUser(jid) : null
}

/** Status updates, broadcast lists and channels are nobody's conversation. */
export function isPublicJid(jid: string): boolean {
  return isJidBroadcast(jid) === true || isJidNewsletter(jid) === true
}

export { isJidGroup }
