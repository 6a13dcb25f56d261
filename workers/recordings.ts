import { gunzipSync } from 'node:zlib'
import { renderCallAudio as renderAudio } from '../src/audio/call-audio.ts'
import { measureWav } from '../src/audio/peaks.ts'
import type { Deps } from '../src/composition/deps.ts'
import { attachCallTrace, callTraceKey, renderCallAudio, transcribeTurn } from '../src/domain/calls/index.ts'
import { within } from '../src/domain/context.ts'
import { fetchMessageMedia, processMedia } from '../src/domain/messages/index.ts'
import { deletePending } from '../src/domain/privacy/index.ts'
import { deleteRemoteRecording, fetchRecording } from '../src/domain/recordings/index.ts'
import type { JobHandlers } from '../src/jobs/consumer.ts'
import { AppError } from '../src/lib/errors.ts'
import type { Carriers, Telephony } from '../src/providers/telephony/port.ts'
import { KNOWLEDGE_CONCURRENCY, knowledgeHandlers } from './handlers/knowledge.ts'
import { openConsumer, runWorker } from './run-worker.ts'

function handlersOf(deps: Deps): JobHandlers<'recordings'> {
  const { ctx, storage, carriers } = deps
  const configured = (carrier: Telephony | null): Telephony => {
    if (carrier) return carrier
    throw new AppError(
      'unavailable',
      'telephony_not_configured',
      'Twilio is not configured for this business, or its account is no longer the one that has the file.',
    )
  }
  /** A business may have changed its account since; a recording that is already deleted is fine. */
  const deleteFrom = (accounts: Telephony[]) => async (sid: string) => {
    for (const account of accounts) await account.deleteRecording(sid)
  }
  return {
    'recording.fetch': (job) =>
      fetchRecording(
        within(ctx, job.businessId),
        job,
        configured(job.accountSid ? carriers.account(job.businessId, job.accountSid) : carriers.of(job.businessId)),
        storage,
        measureWav,
        deps.transcriber(job.businessId),
      ),
    'recording.delete_remote': async (job) => {
      const accounts = carriers.accountsOf(job.businessId)
      configured(accounts[0] ?? null)
      await deleteRemoteRecording(within(ctx, job.businessId), job.recordingId, deleteFrom(accounts))
    },
    'message.fetch_media': (job) =>
      fetchMessageMedia(
        within(ctx, job.businessId),
        job.mediaId,
        {
          downloadMedia: (url, maxBytes, provider) =>
            provider === 'baileys'
              ? deps.fetchPublicMedia({ url })
              : configured(holderOf(carriers, job.businessId, url)).downloadMedia(url, maxBytes),
        },
        storage,
      ),
    'message.process_media': ({ businessId, mediaId }) =>
      processMedia(within(ctx, businessId), mediaId, {
        storage,
        thumbnailer: deps.thumbnailer,
        voiceNotes: deps.transcriber(businessId) ? deps.voiceNotes : null,
      }),
    'privacy.delete': ({ businessId, deletionId }) => {
      const accounts = carriers.accountsOf(businessId)
      return deletePending(within(ctx, businessId), deletionId, {
        storage,
        deleteCarrierRecording: accounts.length > 0 ? deleteFrom(accounts) : null,
      })
    },
    'call.store_trace': async ({ businessId, callSid, gzip }) => {
      const key = callTraceKey(businessId, callSid)
      const data = gunzipSync(Buffer.from(gzip, 'base64'))
      await storage.put(key, data, 'application/x-ndjson')
      const lines = data.toString('latin1').split('\n').length - 1
      // The call was erased, or was never registered: its trace is deleted.
      if (!(await attachCallTrace(within(ctx, businessId), { callSid, key, lines }))) await storage.delete(key)
    },
    'call.render_audio': async ({ businessId, callSid }) => {
      await renderCallAudio(within(ctx, businessId), callSid, storage, renderAudio)
    },
    'call.transcribe': async (job) => {
      await transcribeTurn(within(ctx, job.businessId), job.turnId, deps.transcriber(job.businessId), storage)
    },
  }
}

/** Beside recordings: a site of many pages keeps none of them waiting. */
async function readSources(deps: Deps): Promise<() => Promise<void>> {
  const ending = new AbortController()
  const reading = openConsumer(deps, 'knowledge', KNOWLEDGE_CONCURRENCY, knowledgeHandlers(deps, ending.signal))
  await reading.ready()
  return async () => {
    ending.abort()
    await reading.close()
  }
}

/** The account of a message's file, by its address; the business's own where the address does not tell. */
function holderOf(carriers: Carriers, businessId: string, url: string): Telephony | null {
  const accountSid = /\/Accounts\/(AC[0-9a-f]{32})\//i.exec(URL.parse(url)?.pathname ?? '')?.[1]
  return accountSid ? carriers.account(businessId, accountSid) : carriers.of(businessId)
}

if (import.meta.main) await runWorker('recordings', 4, handlersOf, readSources)
