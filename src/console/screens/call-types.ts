import type { Out } from '../app/trpc.ts'

export type CallDetail = Out<'calls.get'>
export type CallTurn = CallDetail['turns'][number]
export type CallMoment = Out<'calls.moments'>['items'][number]
export type CallAudio = Omit<Out<'calls.audio'>, 'state'>
