// What somebody does with the official client, from an empty profile to data that is read back.
// Called with the registry's URL and a profile's token; writes what came of each step as JSON.

import { createRequire } from "node:module";

// The package is installed beside the build and not beside this file.
const { Device, Network, Resources } = createRequire(`${process.cwd()}/`)("@tago-io/sdk");

const [api, profileToken] = process.argv.slice(2);
const region = { api, sse: `${api}/events` };

async function message(promise) {
  try {
    return { unexpected: await promise };
  } catch (error) {
    return error;
  }
}

const resources = new Resources({ token: profileToken, region });
const { networks, connectors } = resources.integration;

const { network } = await networks.create({ name: "LoRaWAN", serial_number: { mask: "FF-FF", case: "upper" } });
await networks.edit(network, { description: "Long range" });
const { token: networkToken } = await networks.tokenCreate(network, {
  name: "First",
  permission: "full",
  expire_time: "never",
});
const { connector } = await connectors.create({ name: "Thermometer", networks: [network] });
const created = await resources.devices.create({
  name: "Cellar",
  network,
  connector,
  serie_number: "aa-01",
  type: "mutable",
  tags: [{ key: "room", value: "cold" }],
  configuration_params: [{ key: "offset", value: "1", sent: false }],
});
const { token: authorization } = await resources.serviceAuthorization.tokenCreate({
  name: "Factory",
  permission: "full",
  verification_code: "serial=devaddr;payload=payload_raw",
});
await resources.serviceAuthorization.tokenEdit(authorization, "serial=devaddr;port=fport");

const ofNetwork = new Network({ token: networkToken, region });
const resolved = await ofNetwork.resolveToken("AA01", authorization);

const device = new Device({ token: resolved, region });
const sent = await device.sendData([
  { variable: "payload", value: "01000A0", group: "g1" },
  { variable: "temperature", value: 21.5, unit: "C", time: new Date(), location: { lat: 35.77, lng: -78.67 } },
]);
const read = await device.getData({ variables: ["temperature"], qty: 1 });
const last = await device.getData({ query: "last_value", variables: "payload" });
const counted = await device.getData({ query: "count" });
const parameters = await device.getParameters("all");
const deleted = await device.deleteData({ variables: "payload", qty: 10 });
const info = await device.info();

console.log(
  JSON.stringify({
    network: await networks.info(network, ["id", "name", "description"]),
    networks: (await networks.list()).map(({ name }) => name),
    networkTokens: (await networks.tokenList(network)).map(({ name }) => name),
    connector: (await connectors.info(connector)).networks,
    devices: await resources.devices.list({ filter: { tags: [{ key: "room", value: "cold" }] } }),
    keys: await resources.serviceAuthorization.tokenList({ fields: ["name", "verification_code"] }),
    deviceToken: created.token,
    resolved,
    sent,
    read: read.map(({ variable, value, unit, location, time }) => ({
      variable,
      value,
      unit,
      location,
      isDate: time instanceof Date,
    })),
    last: last.map(({ value }) => value),
    counted: counted.map(({ value }) => value),
    parameters: parameters.map(({ key, value }) => [key, value]),
    deleted,
    info: { name: info.name, network: info.network === network, lastInput: info.last_input instanceof Date },
    messages: [
      await message(ofNetwork.resolveToken("FFFF", authorization)),
      await message(new Network({ token: "n-unknown", region }).resolveToken("AA01")),
      await message(device.sendData([{ variable: "temperature", unit: "u".repeat(26) }])),
      await message(networks.delete(network)),
      await message(resources.devices.create({ name: "B", network, connector, serie_number: "X", type: "mutable" })),
    ],
    removed: [
      await resources.devices.delete(created.device_id),
      await connectors.delete(connector),
      await resources.serviceAuthorization.tokenDelete(authorization),
      await networks.tokenDelete(networkToken),
      await networks.delete(network),
    ],
  }),
);
