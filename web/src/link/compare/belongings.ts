// What a comparison started is ended as what any other part of the page started.
export { Belongings } from '../belongings';
