import { transcribeTurn } from '../src/domain/calls/index.ts'
import { within } from '../src/domain/context.ts'
import { fetchMessageMedia } from '../src/domain/messages/index.ts'
import { deletePending } from '../src/domain/privacy/index.ts'
import { deleteRemoteRecording, fetchRecording } from '../src/domain/recordings/index.ts'
import { AppError } from '../src/lib/errors.ts'
import { durationOfWav } from '../src/media/audio/wav.ts'
import type { Telephony } from '../src/providers/telephony/port.ts'
import { runWorker } from './run-worker.ts'

if (import.meta.main)
  await runWorker('recordings', 4, (deps) => {
    const { ctx, storage } = deps
    const carrier = (): Telephony => {
      if (!deps.telephony)
        throw new AppError('unavailable', 'telephony_not_configured', 'Twilio is not configured on this installation.')
      return deps.telephony
    }
    return {
      'recording.fetch': (job) => fetchRecording(within(ctx, job.businessId), job, carrier(), storage, durationOfWav),
      'recording.delete_remote': (job) =>
        deleteRemoteRecording(within(ctx, job.businessId), job.recordingId, carrier()),
      'message.fetch_media': (job) => fetchMessageMedia(within(ctx, job.businessId), job.mediaId, carrier(), storage),
      'privacy.delete': ({ businessId, deletionId }) =>
        deletePending(within(ctx, businessId), deletionId, {
          storage,
          deleteCarrierRecording: deps.telephony ? (sid) => carrier().deleteRecording(sid) : null,
        }),
      'call.transcribe': async (job) => {
        await transcribeTurn(within(ctx, job.businessId), job.turnId, deps.transcriber, storage)
      },
    }
  })
