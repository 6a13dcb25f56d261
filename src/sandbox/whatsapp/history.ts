import { deflateSync } from 'node:zlib'
import { proto } from '@whiskeysockets/baileys'
import { takeKeyBundle } from './key-server.ts'
import { unixSeconds } from './nodes.ts'
import { pushStanza } from './outbox.ts'
import {
  type Account,
  type Companion,
  type HistoryMessage,
  lidJid,
  phoneJid,
  type WhatsAppState,
} from './whatsapp-state.ts'

/** Sends the history (INITIAL_BOOTSTRAP) to a new device, even if empty: a client holds its events for 20 s without it. */
export async function pushInitialHistory(state: WhatsAppState, account: Account, companion: Companion): Promise<void> {
  const chats = Map.groupBy(
    state.history.filter((entry) => entry.account === account.phone),
    (entry) => entry.contact,
  )
  const past = proto.HistorySync.encode({
    syncType: proto.HistorySync.HistorySyncType.INITIAL_BOOTSTRAP,
    progress: 100,
    chunkOrder: 1,
    phoneNumberToLidMappings: [...chats.keys()].map((contact) => ({
      pnJid: phoneJid(contact),
      lidJid: lidJid(state.account(contact).lid),
    })),
    conversations: [...chats].map(([contact, entries]) => ({
      id: phoneJid(contact),
      name: state.account(contact).name,
      messages: entries.map((entry, index) => ({ message: toWebMessage(entry, index) })),
    })),
  }).finish()
  const message: proto.IMessage = {
    protocolMessage: {
      type: proto.Message.ProtocolMessage.Type.HISTORY_SYNC_NOTIFICATION,
      historySyncNotification: {
        syncType: proto.Message.HistorySyncType.INITIAL_BOOTSTRAP,
        chunkOrder: 1,
        progress: 100,
        initialHistBootstrapInlinePayload: deflateSync(past),
      },
    },
  }
  const peer = phoneJid(account.phone, companion.id)
  const { type, bytes } = await account.device.encrypt(peer, () => takeKeyBundle(companion), message)
  const attrs = { from: phoneJid(account.phone), id: state.nextId('3B'), t: String(unixSeconds()), type: 'text' }
  pushStanza(companion, {
    tag: 'message',
    attrs: { ...attrs, category: 'peer' },
    content: [{ tag: 'enc', attrs: { v: '2', type }, content: bytes }],
  })
}

function toWebMessage(entry: HistoryMessage, index: number): proto.IWebMessageInfo {
  return {
    key: { remoteJid: phoneJid(entry.contact), fromMe: entry.fromMe, id: `3C${entry.contact}${index}` },
    message: { conversation: entry.text },
    messageTimestamp: entry.at,
  }
}
