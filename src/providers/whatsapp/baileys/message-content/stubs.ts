import { proto } from '@whiskeysockets/baileys'

/** Calls of which nobody was told; every other stub is a notice about a group, a setting or a device. */
const CALL_STUB = /^(CALL_MISSED|SILENCED_UNKNOWN_CALLER)_(?:GROUP_)?(VOICE|AUDIO|VIDEO)$/

const shownStubs: ReadonlyMap<number, string> = new Map(
  Object.entries(proto.WebMessageInfo.StubType).flatMap(([name, number]) => {
    const [, how, medium] = CALL_STUB.exec(name) ?? []
    if (!how || typeof number !== 'number') return []
    return [[number, `${how === 'CALL_MISSED' ? 'missed' : 'silenced'}_${medium === 'VIDEO' ? 'video' : 'voice'}_call`]]
  }),
)

/** As what a message without content is shown, such as `missed_voice_call`; null when it says nothing of a person. */
export function typeOfStub(stub: number | null | undefined): string | null {
  return shownStubs.get(stub ?? 0) ?? null
}
