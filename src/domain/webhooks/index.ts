export { deliverWebhook, type PostOut, queueDeliveries, replayDelivery, signDelivery } from './deliver.ts'
export {
  addEndpoint,
  deliveryView,
  endpointSettings,
  endpointView,
  listDeliveries,
  listEndpoints,
  removeEndpoint,
  updateEndpoint,
} from './endpoints.ts'
export { sealStoredSecrets } from './secrets.ts'
