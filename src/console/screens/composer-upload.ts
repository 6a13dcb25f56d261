import { below, chosenBusiness } from '../app/base.ts'
import { RefusedError, readRefusal } from '../app/errors.ts'

export type UploadedFile = {
  url: string
  contentType: string
  fileName: string | null
  bytes: number
  /** The providers that take such a file. */
  providers: ('twilio' | 'baileys')[]
}

/** What the server takes. */
export const MAX_BYTES = 16 * 1_048_576

/** Uploads a file. @throws RefusedError, or another Error when the server cannot be reached */
export function uploadFile(file: Blob, name: string, voice: boolean, onProgress: (part: number) => void) {
  const query = new URLSearchParams({ fileName: name.slice(0, 250), ...(voice ? { voice: '1' } : {}) })
  return new Promise<UploadedFile>((resolve, reject) => {
    // fetch() tells nothing of how far a body has gone.
    const request = new XMLHttpRequest()
    request.open('POST', below(`/api/v1/uploads?${query}`))
    request.setRequestHeader('content-type', file.type || 'application/octet-stream')
    const business = chosenBusiness()
    if (business) request.setRequestHeader('x-business-id', business)
    request.responseType = 'json'
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0)
    request.onerror = () => reject(new Error(''))
    request.onload = () => {
      if (request.status === 201) resolve(request.response as UploadedFile)
      else reject(new RefusedError(readRefusal(request.response?.error) ?? { code: `http_${request.status}` }))
    }
    request.send(file)
  })
}
