import packageJson from '../package.json' with { type: 'json' };

/** The version of Nexus. */
export const VERSION: string = packageJson.version;
