import { proto } from '@whiskeysockets/baileys'

/** Calls that were not reported otherwise; every other stub is a notice about a group, a setting or a device. */
const CALL_STUB = /^(CALL_MISSED|SILENCED_UNKNOWN_CALLER)_(?:GROUP_)?(VOICE|AUDIO|VIDEO)$/

const shownStubs: ReadonlyMap<number, string> = new Map(
  Object.entries(proto.WebMessageInfo.StubType).flatMap(([name, number]) => {
    const [, how, medium] = CALL_STUB.exec(name) ?? []
    if (!how || typeof number !== 'number') return []
    return [[number, `${how === 'CALL_MISSED' ? 'missed' : 'silenced'}_${medium === 'VIDEO' ? 'video' : 'voice'}_call`]]
  }),
)

/** The type under which a message without content is shown, such as `missed_voice_call`; null when it is not shown. */
export function typeOfStub(stub: number | null | undefined): string | null {
  return shownStubs.get(stub ?? 0) ?? null
}
