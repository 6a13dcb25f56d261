import { publicUrl, WEBHOOKS } from '../access/urls.ts'
import type { Config } from '../config.ts'
import type { Keyring } from '../domain/credentials/index.ts'
import type { SendSettings, UploadLinks } from '../domain/messages/index.ts'
import { createTwilioTelephony } from '../providers/telephony/twilio.ts'
import { createMediaProbe } from '../providers/whatsapp/media-by-url.ts'
import { createTwilioWhatsApp } from '../providers/whatsapp/twilio.ts'
import { createCarriers } from './carriers.ts'
import { perBusiness } from './per-business.ts'

/** Telephony and WhatsApp over Twilio: the installation's account and those of businesses with keys of their own. */
export function createTwilio(config: Config, keyring: Keyring) {
  const { publicBaseUrl } = config
  const apiBaseUrl = config.endpoints.twilioApi
  const account = config.twilio.kind === 'configured' ? config.twilio : null
  const telephony = perBusiness(
    keyring,
    'twilio',
    account && createTwilioTelephony({ ...account, publicBaseUrl }),
    (keys) => createTwilioTelephony({ ...keys, apiBaseUrl, publicBaseUrl }),
  )
  const statusCallbackUrl = publicUrl(publicBaseUrl, WEBHOOKS.whatsappStatus)
  const whatsapp = perBusiness(
    keyring,
    'twilio',
    account && createTwilioWhatsApp({ ...account, statusCallbackUrl }),
    (keys) => createTwilioWhatsApp({ ...keys, apiBaseUrl, statusCallbackUrl }),
  )
  return { telephony: telephony.installation, carriers: createCarriers(telephony), twilioWhatsApp: whatsapp.of }
}

/** What a message is sent with: the sender of a business, and the check of the media it names. */
export function createSendSettings(config: Config, keyring: Keyring, uploads: UploadLinks): SendSettings {
  const account = config.twilio.kind === 'configured' ? config.twilio : null
  return {
    twilio(businessId) {
      const held = keyring.held(businessId, 'twilio')
      const used = held.kind === 'own' ? held.keys : held.kind === 'none' ? account : null
      return {
        configured: used !== null,
        defaultSender: used?.whatsappFrom?.replace('whatsapp:', '') ?? null,
        own: held.kind === 'own',
      }
    },
    uploads,
    probeMedia: createMediaProbe({ allowPrivate: config.webhooksAllowPrivate, ownPorts: [config.port] }),
  }
}
