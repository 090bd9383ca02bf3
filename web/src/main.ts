import { mount } from 'svelte';
import App from './App.svelte';
import { scope } from './state/scope.svelte';
import { applyTheme } from './state/settings.svelte';
import './styles/base.css';

const target = document.getElementById('app');
if (target === null) throw new Error('index.html has no #app');
applyTheme();
mount(App, { target });
void scope.start();
