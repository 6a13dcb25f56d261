import { createDatabase, type DatabaseHandle } from '../../db/client.ts'
import type { Config } from '../config.ts'
import { AppError } from '../lib/errors.ts'
import { createEspeakSynthesizer } from '../providers/speech/espeak/synthesizer.ts'
import type { VoiceNoteSpeaker } from '../providers/speech/port.ts'

/** A pool of connections for runs of the agent: each holds one, with its lock, as long as it takes. */
export function openAgentLocks({ database }: Pick<Config, 'database'>, max: number): DatabaseHandle {
  if (database.kind !== 'external') throw new AppError('unavailable', 'database_not_given', 'DATABASE_URL is not set.')
  return createDatabase(database.url, { name: 'agentlocator agent', max })
}

/** The voice of answers to voice notes: its thread starts with the first of them. */
export function openVoiceNotes(): VoiceNoteSpeaker {
  return createEspeakSynthesizer()
}
