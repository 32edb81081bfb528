import { describeApi } from './api-suite.ts';
import { startFunctions } from './functions.ts';

describeApi('deployed', startFunctions);
