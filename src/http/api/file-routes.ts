import type { RestTag } from '../../trpc/rest-meta.ts'

export type FileRoute = {
  name: string
  path: string
  /** As Hono writes it, and `ROUTES`. */
  route: string
  method?: 'POST'
  tag: RestTag
  summary: string
  description?: string
  contentType: string
  parameters?: object[]
}

export const FILE_ROUTES: readonly FileRoute[] = [
  {
    name: 'recordings.audio',
    path: '/recordings/{id}/audio',
    route: '/recordings/:id/audio',
    tag: 'Calls',
    summary: 'Download the audio of a recording',
    description: 'Range requests are supported.',
    contentType: 'audio/wav',
  },
  {
    name: 'turns.audio',
    path: '/turns/{id}/audio',
    route: '/turns/:id/audio',
    tag: 'Calls',
    summary: 'Download the audio of a turn',
    description: 'What one side said in one turn of a call, as far as it was heard. Range requests are supported.',
    contentType: 'audio/wav',
  },
  {
    name: 'calls.file',
    path: '/calls/{id}/audio',
    route: '/calls/:id/audio',
    tag: 'Calls',
    summary: 'Download the audio of a call',
    description:
      'Both sides as they were heard: the caller on the left, the agent on the right. Range requests are supported. `id` is the id of the call or the carrier’s call SID.',
    contentType: 'audio/wav',
  },
  {
    name: 'calls.trace',
    path: '/calls/{id}/trace',
    route: '/calls/:id/trace',
    tag: 'Calls',
    summary: 'Download the trace of a call',
    description:
      'Every event of the call as one JSON object per line. `id` is the id of the call or the carrier’s call SID.',
    contentType: 'application/x-ndjson',
  },
  {
    name: 'uploads.create',
    path: '/uploads',
    route: '/uploads',
    method: 'POST',
    tag: 'Messages',
    summary: 'Upload a file to send',
    description:
      'The body is the file, at most 16 MB, with its Content-Type. Give the `url` of the answer as `media[].url` of a message; a file that no message was sent with within a day is deleted.',
    contentType: 'application/octet-stream',
    parameters: [
      { name: 'fileName', in: 'query', required: false, schema: { type: 'string' }, example: 'offer.pdf' },
      {
        name: 'voice',
        in: 'query',
        required: false,
        schema: { enum: ['1'] },
        example: '1',
        description: 'Sends the recording as a voice note.',
      },
    ],
  },
  {
    name: 'media.file',
    path: '/media/{id}',
    route: '/media/:id',
    tag: 'Messages',
    summary: 'Download a file of a message',
    description: 'Range requests are supported.',
    contentType: 'application/octet-stream',
    parameters: [
      {
        name: 'download',
        in: 'query',
        required: false,
        schema: { enum: ['1'] },
        example: '1',
        description: 'Saves the file instead of showing it.',
      },
    ],
  },
  {
    name: 'media.thumbnail',
    path: '/media/{id}/thumbnail',
    route: '/media/:id/thumbnail',
    tag: 'Messages',
    summary: 'Download the thumbnail of an image',
    contentType: 'image/jpeg',
  },
  {
    name: 'exports.file',
    path: '/exports/{kind}.csv',
    route: '/exports/:file{.+\\.csv}',
    tag: 'Exports',
    summary: 'Export all rows as CSV',
    contentType: 'text/csv',
  },
]
